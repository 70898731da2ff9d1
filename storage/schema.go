package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cloudops/cloudops/storage/endpoint"
)

// ensureAll makes both collections ready. One that cannot be opened keeps the
// other from nothing: the engine tells of it, and so does each use.
func ensureAll(ctx context.Context, client *qdrant.Client, cfg Config) error {
	for _, c := range []CollectionConfig{cfg.Collections.ChatHistory, cfg.Collections.AWSEstate} {
		if cfg.Qdrant.Mode == endpoint.Embedded {
			c.Memmap, c.WAL = nil, nil
		}
		if err := ensure(ctx, client, c); err != nil && !errors.Is(err, ErrCorrupt) {
			return err
		}
	}
	return nil
}

// ensure makes a collection ready under its alias. Every step may have been
// taken before, also by an attempt that was cut short: the alias comes last.
func ensure(ctx context.Context, client *qdrant.Client, c CollectionConfig) error {
	aliases, err := client.ListAliases(ctx)
	if err != nil {
		return wrap("listing collections", err)
	}
	real, aliased := c.Name+"_1", false
	for _, a := range aliases {
		if a.GetAliasName() == c.Name {
			real, aliased = a.GetCollectionName(), true
		}
	}
	if err := build(ctx, client, c, real); err != nil || aliased {
		return err
	}
	if err := client.CreateAlias(ctx, c.Name, real); err != nil {
		return wrap("naming collection "+real, err)
	}
	return nil
}

// build makes a collection with its indexes, as far as it is not there.
func build(ctx context.Context, client *qdrant.Client, c CollectionConfig, real string) error {
	exists, err := client.CollectionExists(ctx, real)
	if err != nil {
		return wrap("looking for collection "+real, err)
	}
	if !exists {
		err := client.CreateCollection(ctx, creation(real, c))
		if err != nil && status.Code(err) != codes.AlreadyExists {
			return wrap("creating collection "+real, err)
		}
	}
	info, err := client.GetCollectionInfo(ctx, real)
	if err != nil {
		return wrap("reading the schema of "+real, err)
	}
	if size := info.GetConfig().GetParams().GetVectorsConfig().GetParams().GetSize(); size != uint64(c.VectorSize) {
		return fmt.Errorf("collection %s holds vectors of %d numbers, but the configuration says %d: set vector_size to %d", real, size, c.VectorSize, size)
	}
	for _, f := range c.IndexedFields {
		if have, ok := info.GetPayloadSchema()[f.path()]; ok && f.Indexed && !strings.EqualFold(have.GetDataType().String(), f.Type) {
			return fmt.Errorf("%s of collection %s is indexed as %s, but the configuration says %s: set its field_type to %[3]s", f.Name, real, strings.ToLower(have.GetDataType().String()), f.Type)
		} else if ok || !f.Indexed {
			continue
		}
		typ := indexType(f.Type)
		if _, err := client.CreateFieldIndex(ctx, &qdrant.CreateFieldIndexCollection{
			CollectionName: real, FieldName: f.path(), FieldType: &typ, Wait: qdrant.PtrOf(true),
		}); err != nil {
			return wrap("indexing "+f.Name+" of "+real, err)
		}
	}
	return nil
}

// creation is the request that makes a collection.
func creation(name string, c CollectionConfig) *qdrant.CreateCollection {
	vectors := &qdrant.VectorParams{Size: uint64(c.VectorSize), Distance: distance(c.Distance)}
	r := &qdrant.CreateCollection{CollectionName: name, VectorsConfig: qdrant.NewVectorsConfig(vectors), HnswConfig: hnsw(c.HNSW)}
	if m := c.Memmap; m != nil {
		vectors.OnDisk = m.OnDisk
		if m.ThresholdKB > 0 {
			r.OptimizersConfig = &qdrant.OptimizersConfigDiff{MemmapThreshold: positive(m.ThresholdKB)}
		}
	}
	if w := c.WAL; w != nil && *w != (WALConfig{}) {
		r.WalConfig = &qdrant.WalConfigDiff{WalCapacityMb: positive(w.CapacityMB), WalSegmentsAhead: positive(w.SegmentsAhead)}
	}
	return r
}

// positive is a number, or nil for 0, which leaves it to Qdrant.
func positive(n int) *uint64 {
	if n == 0 {
		return nil
	}
	return qdrant.PtrOf(uint64(n))
}

func distance(name string) qdrant.Distance {
	switch name {
	case "euclidean":
		return qdrant.Distance_Euclid
	case "manhattan":
		return qdrant.Distance_Manhattan
	case "dot":
		return qdrant.Distance_Dot
	}
	return qdrant.Distance_Cosine
}

func indexType(name string) qdrant.FieldType {
	switch name {
	case kindInteger:
		return qdrant.FieldType_FieldTypeInteger
	case kindFloat:
		return qdrant.FieldType_FieldTypeFloat
	case kindBool:
		return qdrant.FieldType_FieldTypeBool
	case kindGeo:
		return qdrant.FieldType_FieldTypeGeo
	case kindText:
		return qdrant.FieldType_FieldTypeText
	}
	return qdrant.FieldType_FieldTypeKeyword
}

func hnsw(c *HNSWConfig) *qdrant.HnswConfigDiff {
	if c == nil {
		return nil
	}
	return &qdrant.HnswConfigDiff{M: positive(c.M), EfConstruct: positive(c.EfConstruct), FullScanThreshold: positive(c.FullScanThreshold)}
}
