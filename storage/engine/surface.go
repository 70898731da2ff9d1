package engine

import (
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Surface lists what the engine handles: RPCs by method, options and
// conditions by the field or enum value that asks for them. A test holds it
// equal to what storage sends.
func Surface() []string {
	return []string{
		"/qdrant.Qdrant/HealthCheck",

		"/qdrant.Collections/CollectionExists",
		"qdrant.CollectionExistsRequest.collection_name",
		"/qdrant.Collections/Create",
		"qdrant.CreateCollection.collection_name",
		"qdrant.CreateCollection.hnsw_config",
		"qdrant.CreateCollection.vectors_config",
		"qdrant.HnswConfigDiff.ef_construct",
		"qdrant.HnswConfigDiff.full_scan_threshold",
		"qdrant.HnswConfigDiff.m",
		"qdrant.VectorsConfig.params",
		"qdrant.VectorParams.distance",
		"qdrant.VectorParams.size",
		"qdrant.Cosine",
		"qdrant.Dot",
		"qdrant.Euclid",
		"qdrant.Manhattan",
		"/qdrant.Collections/Get",
		"qdrant.GetCollectionInfoRequest.collection_name",
		"/qdrant.Collections/ListAliases",
		"/qdrant.Collections/UpdateAliases",
		"qdrant.ChangeAliases.actions",
		"qdrant.AliasOperations.create_alias",
		"qdrant.CreateAlias.alias_name",
		"qdrant.CreateAlias.collection_name",

		"/qdrant.Points/CreateFieldIndex",
		"qdrant.CreateFieldIndexCollection.collection_name",
		"qdrant.CreateFieldIndexCollection.field_name",
		"qdrant.CreateFieldIndexCollection.field_type",
		"qdrant.CreateFieldIndexCollection.wait",
		"qdrant.FieldTypeBool",
		"qdrant.FieldTypeFloat",
		"qdrant.FieldTypeGeo",
		"qdrant.FieldTypeInteger",
		"qdrant.FieldTypeKeyword",
		"qdrant.FieldTypeText",
		"/qdrant.Points/Upsert",
		"qdrant.UpsertPoints.collection_name",
		"qdrant.UpsertPoints.points",
		"qdrant.UpsertPoints.wait",
		"qdrant.PointStruct.id",
		"qdrant.PointStruct.payload",
		"qdrant.PointStruct.vectors",
		"qdrant.PointId.uuid",
		"qdrant.Vectors.vector",
		"qdrant.Vectors.vectors",
		"qdrant.Vector.dense",
		"qdrant.DenseVector.data",
		"/qdrant.Points/UpdateVectors",
		"qdrant.UpdatePointVectors.collection_name",
		"qdrant.UpdatePointVectors.points",
		"qdrant.UpdatePointVectors.wait",
		"qdrant.PointVectors.id",
		"qdrant.PointVectors.vectors",
		"/qdrant.Points/UpdateBatch",
		"qdrant.UpdateBatchPoints.collection_name",
		"qdrant.UpdateBatchPoints.operations",
		"qdrant.UpdateBatchPoints.wait",
		"qdrant.PointsUpdateOperation.set_payload",
		"qdrant.PointsUpdateOperation.SetPayload.payload",
		"qdrant.PointsUpdateOperation.SetPayload.points_selector",
		"/qdrant.Points/Delete",
		"qdrant.DeletePoints.collection_name",
		"qdrant.DeletePoints.points",
		"qdrant.DeletePoints.wait",
		"qdrant.PointsSelector.points",
		"qdrant.PointsIdsList.ids",
		"/qdrant.Points/Get",
		"qdrant.GetPoints.collection_name",
		"qdrant.GetPoints.ids",
		"qdrant.GetPoints.with_payload",
		"qdrant.WithPayloadSelector.enable",
		"/qdrant.Points/Query",
		"qdrant.QueryPoints.collection_name",
		"qdrant.QueryPoints.filter",
		"qdrant.QueryPoints.limit",
		"qdrant.QueryPoints.query",
		"qdrant.QueryPoints.with_payload",
		"qdrant.Query.nearest",
		"qdrant.VectorInput.dense",
		"/qdrant.Points/Scroll",
		"qdrant.ScrollPoints.collection_name",
		"qdrant.ScrollPoints.filter",
		"qdrant.ScrollPoints.limit",
		"qdrant.ScrollPoints.offset",
		"qdrant.ScrollPoints.order_by",
		"qdrant.ScrollPoints.with_payload",
		"qdrant.ScrollPoints.with_vectors",
		"qdrant.WithVectorsSelector.enable",
		"qdrant.OrderBy.direction",
		"qdrant.OrderBy.key",
		"qdrant.Desc",
		"qdrant.Filter.must",
		"qdrant.Condition.field",
		"qdrant.Condition.has_id",
		"qdrant.HasIdCondition.has_id",
		"qdrant.FieldCondition.key",
		"qdrant.FieldCondition.match",
		"qdrant.Match.keyword",
		"/qdrant.Points/Count",
		"qdrant.CountPoints.collection_name",
		"qdrant.CountPoints.exact",
	}
}

// Used names everything a request asks for, in the terms of Surface, until
// yield returns false. Payload values are data, not options, and are not looked
// into.
func Used(m protoreflect.Message, yield func(string) bool) {
	u := &used{yield: yield}
	u.each = u.field
	u.message(m)
}

// used is a walk over a request.
type used struct {
	yield func(string) bool
	each  func(protoreflect.FieldDescriptor, protoreflect.Value) bool
	done  bool
}

func (u *used) message(m protoreflect.Message) {
	if _, point := m.Interface().(*qdrant.PointStruct); len(m.GetUnknown()) > 0 && !point { // which carries its payload
		u.done = !u.yield(string(m.Descriptor().FullName()) + ": an unknown field")
	}
	if !u.done {
		m.Range(u.each)
	}
}

func (u *used) field(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
	u.done = !u.yield(string(fd.FullName()))
	switch {
	case fd.IsMap() || fd.Kind() != protoreflect.MessageKind && fd.Kind() != protoreflect.EnumKind:
	case fd.IsList():
		for i := 0; i < v.List().Len() && !u.done; i++ {
			u.value(fd, v.List().Get(i))
		}
	case !u.done:
		u.value(fd, v)
	}
	return !u.done
}

func (u *used) value(fd protoreflect.FieldDescriptor, v protoreflect.Value) {
	if fd.Kind() == protoreflect.MessageKind {
		u.message(v.Message())
		return
	}
	name := fd.Enum().FullName()
	if ed := fd.Enum().Values().ByNumber(v.Enum()); ed != nil {
		name = ed.FullName()
	}
	u.done = !u.yield(string(name))
}

// unhandled names the first thing in m that Surface does not list.
func (e *Engine) unhandled(m protoreflect.Message) (name string) {
	Used(m, func(n string) bool {
		if !e.handled[n] {
			name = n
		}
		return name == ""
	})
	return name
}
