package engine_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"

	"github.com/qdrant/go-client/qdrant"
)

// everything is the kind of each point, as stored, and as filters see it.
func (f *fixture) everything() (stored, filtered map[int]string) {
	f.t.Helper()
	stored, filtered = map[int]string{}, map[int]string{}
	resp, err := f.points.Scroll(ctx(), &qdrant.ScrollPoints{CollectionName: "c", Limit: qdrant.PtrOf(uint32(1000))})
	f.must(err)
	for _, p := range resp.GetResult() {
		var n int
		fmt.Sscanf(p.GetId().GetUuid()[24:], "%x", &n)
		if stored[n] != "" {
			f.t.Errorf("point %d is there twice", n)
		}
		stored[n] = p.GetPayload()["kind"].GetStringValue()
	}
	for kind := range 40 {
		ns, _, err := f.scroll(&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", fmt.Sprint("kind ", kind))), Limit: qdrant.PtrOf(uint32(1000))})
		f.must(err)
		for _, n := range ns {
			filtered[n] = fmt.Sprint("kind ", kind)
		}
	}
	return stored, filtered
}

// Writers that meet in the same points, while an index is made, leave memory and
// the data file in agreement.
func TestWritersMeet(t *testing.T) {
	f := start(t)
	f.collection()
	for round := range 6 {
		var all sync.WaitGroup
		for writer := range 4 {
			random := rand.New(rand.NewPCG(uint64(round), uint64(writer)))
			all.Go(func() {
				for range 12 {
					var points []*qdrant.PointStruct
					var ids []*qdrant.PointId
					for range 20 {
						id := qdrant.NewID(uid(1 + random.IntN(30)))
						ids = append(ids, id)
						points = append(points, &qdrant.PointStruct{
							Id: id, Vectors: qdrant.NewVectors(1, 2, 3, 4),
							Payload: qdrant.NewValueMap(map[string]any{"kind": fmt.Sprint("kind ", random.IntN(40))}),
						})
					}
					var err error
					switch random.IntN(4) {
					case 0:
						_, err = f.points.Delete(ctx(), &qdrant.DeletePoints{CollectionName: "c", Points: qdrant.NewPointsSelectorIDs(ids[:5])})
					default:
						_, err = f.points.Upsert(ctx(), &qdrant.UpsertPoints{CollectionName: "c", Points: points})
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Go(func() { f.index(fmt.Sprint("late_", round), qdrant.FieldType_FieldTypeKeyword) })
		all.Wait()
		stored, filtered := f.everything()
		if !reflect.DeepEqual(stored, filtered) {
			t.Errorf("round %d: stored is %v, filters find %v", round, stored, filtered)
		}
		f.restart()
		again, filtered := f.everything()
		if !reflect.DeepEqual(stored, again) || !reflect.DeepEqual(stored, filtered) {
			t.Errorf("round %d: after a restart %v is stored and %v found, before it was %v", round, again, filtered, stored)
		}
		if ps := f.eng.Problems(); len(ps) > 0 {
			t.Errorf("round %d: %v", round, ps)
		}
	}
}
