package storage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"

	"github.com/cloudops/cloudops/storage/seal"
)

// estateCollection and estateField are where a resource is sealed for,
// whatever the collection is called.
const (
	estateCollection = "aws_estate"
	estateField      = "encrypted_data"
)

// sealedResource is what a seal holds.
type sealedResource struct {
	Resource
	Digest uint64 `json:"content_digest,string"`
}

// normalise is a resource as it is stored, and the digest of its content.
func (e *Estate) normalise(r Resource) (Resource, uint64, error) {
	if r.Type == "" || r.ID == "" {
		return r, 0, errors.New("storing a resource: it has no type or no id")
	}
	synced := r.LastSynced.UTC().Round(0)
	r.IAM, r.LastSynced = nil, time.Time{}
	content, err := json.Marshal(r)
	if err == nil && bytes.Contains(content, []byte(`\ufffd`)) {
		// Invalid UTF-8 was replaced: memory must hold what a restart reads back.
		var clean Resource
		if err = json.Unmarshal(content, &clean); err == nil {
			r = clean
			content, err = json.Marshal(r)
		}
	}
	if err != nil {
		return r, 0, fmt.Errorf("storing a resource of type %s: encoding it: %w", r.Type, err)
	}
	r.LastSynced = synced
	return r, e.keys.Digest(content), nil
}

// record is what memory keeps of a resource.
func (e *Estate) record(r Resource, version, digest uint64) Record {
	var facts map[string]string
	if k := e.kinds.Of(r.Type); k != nil {
		facts = r.Facts()
		asked := k.Asked()
		maps.DeleteFunc(facts, func(name, value string) bool { return value == "" || value == "false" || !slices.Contains(asked, name) })
	}
	return Record{
		Key: r.Key(), Service: r.Service, Name: r.Name, AccountName: r.AccountName, State: r.State, Tags: r.Tags,
		Summary: r.Summary, Facts: facts, Aliases: r.Aliases, LastSynced: r.LastSynced, Version: version, Digest: digest,
	}
}

// plain is what of a resource stands outside the seal.
func (e *Estate) plain(r Resource) map[string]*qdrant.Value {
	fields := map[string]*qdrant.Value{
		fieldType: qdrant.NewValueString(r.Type), fieldAccount: qdrant.NewValueString(r.AccountID),
		fieldRegion: qdrant.NewValueString(r.Region), fieldService: qdrant.NewValueString(r.Service),
		fieldState: qdrant.NewValueString(r.State), fieldSynced: qdrant.NewValueInt(r.LastSynced.Unix()),
	}
	tags := map[string]*qdrant.Value{}
	for key, typ := range e.tags {
		if text, ok := r.Tags[key]; ok {
			if v := plainTag(typ, text); v != nil {
				tags[key] = v
			}
		}
	}
	if len(tags) > 0 {
		fields[fieldTags] = qdrant.NewValueFromFields(tags)
	}
	return fields
}

func estatePlace(id string, version uint64) seal.Place {
	return seal.Place{Collection: estateCollection, Point: id, Field: estateField, Version: version}
}

func (e *Estate) seal(id string, r Resource, digest, version uint64) (*qdrant.PointStruct, error) {
	content, err := json.Marshal(sealedResource{r, digest})
	if err != nil {
		return nil, err
	}
	payload := e.plain(r)
	if err := sealField(e.keys, payload, content, estatePlace(id, version)); err != nil {
		return nil, err
	}
	return newPoint(id, payload), nil
}

// open checks and decodes a stored resource; damage is noted.
func (e *Estate) open(p *qdrant.RetrievedPoint) (r sealedResource, version uint64, err error) {
	id := p.GetId().GetUuid()
	defer func() {
		if err != nil {
			e.faults.add(e.name, id, err)
		}
	}()
	content, version, err := openField(e.keys, p.GetPayload(), estatePlace(id, 0))
	if err != nil {
		return r, 0, err
	}
	if err := json.Unmarshal(content, &r); err != nil {
		return r, 0, fmt.Errorf("%w: decoding a resource: %v", ErrCorrupt, err)
	}
	// Tag keys may have been configured otherwise when the point was written.
	want := e.plain(r.Resource)
	delete(want, fieldTags)
	if err := same(p.GetPayload(), want); err != nil {
		return r, 0, err
	}
	for key, v := range p.GetPayload()[fieldTags].GetStructValue().GetFields() {
		if text, ok := r.Tags[key]; !ok || !proto.Equal(v, plainTag(typeOf(v), text)) {
			return r, 0, fmt.Errorf("%w: a plain tag differs from the sealed one", ErrCorrupt)
		}
	}
	return r, version, nil
}
