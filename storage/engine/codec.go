package engine

import (
	"slices"
	"unicode/utf8"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Payloads travel and are stored as encoded entries of a map: only the number
// of the field they are in differs. Decoding them to encode them again would
// cost more than to store them, so they are carried as unknown fields: of a
// PointStruct in the form of a qdrant.Struct, of a reply in its own.

// codec is gRPC's own, but leaves the payloads of an upsert encoded.
type codec struct{ encoding.CodecV2 }

// Numbers of the fields that codec knows.
const (
	structFields = 1 // of qdrant.Struct
	replyPayload = 2 // of RetrievedPoint and ScoredPoint
	pointPayload = 3 // of PointStruct
	upsertPoints = 3 // of UpsertPoints
)

func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	r, ok := v.(*qdrant.UpsertPoints)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	b := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer b.Free()
	return unmarshalUpsert(b.ReadOnlyData(), r)
}

func unmarshalUpsert(b []byte, r *qdrant.UpsertPoints) error {
	var rest, strange, point, payload []byte
	err := records(b, func(num protowire.Number, record, value []byte) error {
		if num != upsertPoints || value == nil {
			rest = append(rest, record...)
			return nil
		}
		p := new(qdrant.PointStruct)
		r.Points = append(r.Points, p)
		point, payload = point[:0], payload[:0]
		err := records(value, func(num protowire.Number, record, value []byte) error {
			if num == pointPayload && value != nil {
				payload = appendField(payload, structFields, value)
			} else {
				point = append(point, record...)
			}
			return nil
		})
		if err == nil {
			err = proto.Unmarshal(point, p)
		}
		if err != nil {
			return err
		}
		strange = append(strange, p.ProtoReflect().GetUnknown()...)
		carried, err := tidy(slices.Clone(payload))
		p.ProtoReflect().SetUnknown(carried)
		return err
	})
	if err != nil {
		return err
	}
	err = proto.UnmarshalOptions{Merge: true}.Unmarshal(rest, r)
	if len(strange) > 0 { // is told of where unknown fields are
		r.ProtoReflect().SetUnknown(append(r.ProtoReflect().GetUnknown(), strange...))
	}
	return err
}

// payload is that of a point which codec decoded, as an encoded qdrant.Struct.
func payload(p *qdrant.PointStruct) []byte { return p.ProtoReflect().GetUnknown() }

// answer puts a payload into a reply.
func answer(reply proto.Message, payload []byte) {
	fields := make([]byte, 0, len(payload))
	_ = records(payload, func(_ protowire.Number, _, value []byte) error {
		fields = appendField(fields, replyPayload, value)
		return nil
	})
	reply.ProtoReflect().SetUnknown(fields)
}

func appendField(b []byte, num protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), value)
}

// records yields the fields of an encoded message, whole, and the content of
// those that have a length.
func records(b []byte, yield func(num protowire.Number, record, value []byte) error) error {
	for len(b) > 0 {
		num, typ, tag := protowire.ConsumeTag(b)
		if tag < 0 {
			return errMalformed
		}
		n := protowire.ConsumeFieldValue(num, typ, b[tag:])
		if n < 0 {
			return errMalformed
		}
		record, value := b[:tag+n], []byte(nil)
		if typ == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(b[tag:])
			value = value[:len(value):len(value)]
		}
		if err := yield(num, record, value); err != nil {
			return err
		}
		b = b[tag+n:]
	}
	return nil
}

// tidy returns an encoded qdrant.Struct as it is if it is as encoders make it,
// and else encodes it anew.
func tidy(b []byte) ([]byte, error) {
	if isTidy(b, 0) {
		return b, nil
	}
	var s qdrant.Struct
	if err := proto.Unmarshal(b, &s); err != nil {
		return nil, err
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(&s)
}

// manyFields is how many are looked through for one that is there twice.
const manyFields = 64

// isTidy says whether an encoded qdrant.Struct has each name once, and each
// value, of a common kind, once.
func isTidy(b []byte, depth int) bool {
	var names [manyFields][]byte
	count := 0
	return depth < 8 && records(b, func(num protowire.Number, _, entry []byte) error {
		if num != structFields || entry == nil || count == manyFields {
			return errMalformed
		}
		name, value, err := pair(entry)
		if err != nil || len(entry) != protowire.SizeBytes(len(name))+protowire.SizeBytes(len(value))+2 || !utf8.Valid(name) {
			return errMalformed
		}
		for _, other := range names[:count] {
			if string(other) == string(name) {
				return errMalformed
			}
		}
		names[count] = name
		count++
		kinds := 0
		return records(value, func(num protowire.Number, record, v []byte) error {
			_, typ, _ := protowire.ConsumeTag(record)
			kinds++
			ok := kinds == 1
			switch num {
			case valueDouble:
				ok = ok && typ == protowire.Fixed64Type
			case valueNull, valueInteger, valueBool:
				ok = ok && typ == protowire.VarintType
			case valueString:
				ok = ok && v != nil && utf8.Valid(v)
			case valueStruct:
				ok = ok && v != nil && isTidy(v, depth+1)
			default:
				ok = false
			}
			if !ok {
				return errMalformed
			}
			return nil
		})
	}) == nil
}
