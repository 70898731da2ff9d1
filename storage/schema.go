package storage

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/cloudops/cloudops/storage/seal"
)

// pageSize is how many points travel in one request.
const pageSize = 256

// writeTimeout bounds one write.
const writeTimeout = time.Minute

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
	exists, err := client.CollectionExists(ctx, real)
	if err != nil {
		return wrap("looking for collection "+real, err)
	}
	if !exists {
		err := client.CreateCollection(ctx, &qdrant.CreateCollection{
			CollectionName: real,
			VectorsConfig:  qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: uint64(c.VectorSize), Distance: distance(c.Distance)}),
			HnswConfig:     hnsw(c.HNSW),
		})
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
		if _, ok := info.GetPayloadSchema()[f.path()]; ok || !f.Indexed {
			continue
		}
		typ := qdrant.FieldType_FieldTypeKeyword
		if f.Type == kindInteger {
			typ = qdrant.FieldType_FieldTypeInteger
		}
		if _, err := client.CreateFieldIndex(ctx, &qdrant.CreateFieldIndexCollection{
			CollectionName: real, FieldName: f.path(), FieldType: &typ, Wait: qdrant.PtrOf(true),
		}); err != nil {
			return wrap("indexing "+f.Name+" of "+real, err)
		}
	}
	if aliased {
		return nil
	}
	if err := client.CreateAlias(ctx, c.Name, real); err != nil {
		return wrap("naming collection "+real, err)
	}
	return nil
}

func distance(name string) qdrant.Distance {
	switch name {
	case "euclidean":
		return qdrant.Distance_Euclid
	case "dot":
		return qdrant.Distance_Dot
	}
	return qdrant.Distance_Cosine
}

func hnsw(c *HNSWConfig) *qdrant.HnswConfigDiff {
	if c == nil {
		return nil
	}
	set := func(n int) *uint64 {
		if n == 0 {
			return nil
		}
		return qdrant.PtrOf(uint64(n))
	}
	return &qdrant.HnswConfigDiff{M: set(c.M), EfConstruct: set(c.EfConstruct), FullScanThreshold: set(c.FullScanThreshold)}
}

// newPoint is a point that has no vector yet.
func newPoint(id string, payload map[string]*qdrant.Value) *qdrant.PointStruct {
	return &qdrant.PointStruct{Id: qdrant.NewIDUUID(id), Payload: payload, Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{})}
}

// whole is a context for a write: begun in time it is not cut short, which would
// leave open whether it was done.
func whole(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() != nil {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
}

// upsert writes points and returns when they are durable.
func upsert(ctx context.Context, client *qdrant.Client, collection string, points []*qdrant.PointStruct) error {
	ctx, cancel := whole(ctx)
	defer cancel()
	result, err := client.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: collection, Points: points, Wait: qdrant.PtrOf(true)})
	if err != nil {
		return err
	}
	if result.GetStatus() != qdrant.UpdateStatus_Completed {
		return status.Errorf(codes.Unavailable, "the write was not confirmed (%s)", result.GetStatus())
	}
	return nil
}

// scroll yields every point that a filter lets through, page by page.
func scroll(ctx context.Context, client *qdrant.Client, collection string, filter *qdrant.Filter, each func(*qdrant.RetrievedPoint)) error {
	request := &qdrant.ScrollPoints{
		CollectionName: collection, Filter: filter, Limit: qdrant.PtrOf(uint32(pageSize)), WithPayload: qdrant.NewWithPayload(true),
	}
	for {
		points, next, err := client.ScrollAndOffset(ctx, request)
		if err != nil {
			return err
		}
		for _, p := range points {
			each(p)
		}
		if next == nil {
			return nil
		}
		request.Offset = next
	}
}

// sealer is what seals a payload: the keys of the home or of a conversation.
type sealer interface {
	Seal([]byte, seal.Place) ([]byte, error)
	Open([]byte, seal.Place) ([]byte, error)
}

// sealField puts a sealed value and its version into a payload.
func sealField(s sealer, payload map[string]*qdrant.Value, plain []byte, at seal.Place) error {
	sealed, err := s.Seal(plain, at)
	if err != nil {
		return err
	}
	payload[at.Field] = qdrant.NewValueString(base64.StdEncoding.EncodeToString(sealed))
	payload[fieldVersion] = qdrant.NewValueInt(int64(at.Version))
	return nil
}

// openField is the inverse; the version is taken from the payload. What the
// seal holds must be compared with the plain fields by the caller.
func openField(s sealer, payload map[string]*qdrant.Value, at seal.Place) (plain []byte, version uint64, err error) {
	sealed, err := base64.StdEncoding.Strict().DecodeString(payload[at.Field].GetStringValue())
	if err != nil {
		return nil, 0, fmt.Errorf("%w: the sealed field is not base64", ErrCorrupt)
	}
	at.Version = uint64(payload[fieldVersion].GetIntegerValue())
	if plain, err = s.Open(sealed, at); err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return plain, at.Version, nil
}

// same compares the plain fields of a payload with what the seal holds.
func same(payload, want map[string]*qdrant.Value) error {
	for name, v := range want {
		if got, ok := payload[name]; !ok || !proto.Equal(got, v) {
			return fmt.Errorf("%w: the plain field %s differs from the sealed one", ErrCorrupt, name)
		}
	}
	return nil
}

// valid makes a text fit for a protobuf string, as encoding/json does.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}
