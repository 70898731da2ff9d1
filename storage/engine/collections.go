package engine

import (
	"cmp"
	"context"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// collectionsService is the Collections service.
type collectionsService struct {
	qdrant.UnimplementedCollectionsServer
	e *Engine
}

// resolve finds a collection by its name or an alias.
func (e *Engine) resolve(name string) (*collection, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if real, ok := e.catalogue.Aliases[name]; ok {
		name = real
	}
	if c, ok := e.collections[name]; ok {
		return c, nil
	}
	if err := e.broken[name]; err != nil {
		return nil, status.Errorf(codes.DataLoss, "%v: collection %s cannot be opened: %v", ErrCorrupt, name, err)
	}
	return nil, status.Errorf(codes.NotFound, "Collection `%s` doesn't exist!", name)
}

// CollectionExists answers for names and aliases.
func (s collectionsService) CollectionExists(_ context.Context, r *qdrant.CollectionExistsRequest) (*qdrant.CollectionExistsResponse, error) {
	_, err := s.e.resolve(r.GetCollectionName())
	return &qdrant.CollectionExistsResponse{Result: &qdrant.CollectionExists{Exists: status.Code(err) != codes.NotFound}}, nil
}

// Create makes an empty collection.
func (s collectionsService) Create(_ context.Context, r *qdrant.CreateCollection) (*qdrant.CollectionOperationResponse, error) {
	start, e := time.Now(), s.e
	name := r.GetCollectionName()
	if name == "" || len(name) > 255 {
		return nil, status.Error(codes.InvalidArgument, "collection_name must have 1 to 255 characters")
	}
	if size := r.GetVectorsConfig().GetParams().GetSize(); size == 0 || size > 65536 {
		return nil, status.Error(codes.InvalidArgument, "vectors_config.params.size must be 1 to 65536")
	}
	config, err := proto.Marshal(r)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "encoding the configuration: %v", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.catalogue.Aliases[name]; ok {
		return nil, status.Errorf(codes.InvalidArgument, "Wrong input: Can't create collection with name %s. Alias with the same name already exists", name)
	}
	if e.collections[name] != nil || e.broken[name] != nil {
		return nil, status.Errorf(codes.AlreadyExists, "Collection `%s` already exists!", name)
	}
	added := entry{Name: name, Dir: uuid.NewString(), Config: config}
	dir := filepath.Join(e.dir, added.Dir)
	if err := createCollection(dir); err != nil {
		return nil, writeError(err)
	}
	c, err := openCollection(dir, added, e.keys)
	if err != nil {
		return nil, err
	}
	cat := e.catalogue
	cat.Collections = append(slices.Clone(cat.Collections), added)
	if err := cat.save(e.dir, e.keys); err != nil {
		_ = c.db.Close() // what matters is that it was not created
		return nil, writeError(err)
	}
	e.catalogue, e.collections[name] = cat, c
	return &qdrant.CollectionOperationResponse{Result: true, Time: time.Since(start).Seconds()}, nil
}

// UpdateAliases points names at collections, all in one step.
func (s collectionsService) UpdateAliases(_ context.Context, r *qdrant.ChangeAliases) (*qdrant.CollectionOperationResponse, error) {
	start, e := time.Now(), s.e
	e.mu.Lock()
	defer e.mu.Unlock()
	cat := e.catalogue
	cat.Aliases = maps.Clone(cat.Aliases)
	for _, action := range r.GetActions() {
		create := action.GetCreateAlias()
		switch name, alias := create.GetCollectionName(), create.GetAliasName(); {
		case alias == "":
			return nil, status.Error(codes.InvalidArgument, "alias_name must not be empty")
		case e.collections[name] == nil:
			return nil, status.Errorf(codes.NotFound, "Collection `%s` doesn't exist!", name)
		case e.collections[alias] != nil:
			return nil, status.Errorf(codes.AlreadyExists, "Wrong input: Collection `%s` already exists!", alias)
		default:
			cat.Aliases[alias] = name
		}
	}
	if err := cat.save(e.dir, e.keys); err != nil {
		return nil, writeError(err)
	}
	e.catalogue = cat
	return &qdrant.CollectionOperationResponse{Result: true, Time: time.Since(start).Seconds()}, nil
}

// ListAliases lists all, by name.
func (s collectionsService) ListAliases(context.Context, *qdrant.ListAliasesRequest) (*qdrant.ListAliasesResponse, error) {
	e := s.e
	e.mu.RLock()
	defer e.mu.RUnlock()
	resp := &qdrant.ListAliasesResponse{}
	for alias, name := range e.catalogue.Aliases {
		resp.Aliases = append(resp.Aliases, &qdrant.AliasDescription{AliasName: alias, CollectionName: name})
	}
	slices.SortFunc(resp.Aliases, func(a, b *qdrant.AliasDescription) int { return cmp.Compare(a.AliasName, b.AliasName) })
	return resp, nil
}

// Get describes a collection: its vectors, indexes and size.
func (s collectionsService) Get(_ context.Context, r *qdrant.GetCollectionInfoRequest) (*qdrant.GetCollectionInfoResponse, error) {
	c, err := s.e.resolve(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	count := c.count()
	info := &qdrant.CollectionInfo{
		Status: qdrant.CollectionStatus_Green, OptimizerStatus: &qdrant.OptimizerStatus{Ok: true}, SegmentsCount: 1,
		PointsCount: &count, PayloadSchema: map[string]*qdrant.PayloadSchemaInfo{},
		Config: &qdrant.CollectionConfig{
			Params:     &qdrant.CollectionParams{ShardNumber: 1, OnDiskPayload: true, VectorsConfig: c.config.GetVectorsConfig()},
			HnswConfig: c.config.GetHnswConfig(),
		},
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, index := range c.indexes.fields {
		for _, k := range indexKinds() {
			if k.name == index.Type {
				info.PayloadSchema[index.Field] = &qdrant.PayloadSchemaInfo{DataType: k.told, Points: &count}
			}
		}
	}
	return &qdrant.GetCollectionInfoResponse{Result: info}, nil
}
