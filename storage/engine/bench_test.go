package engine_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"path/filepath"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"go.etcd.io/bbolt"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/cloudops/cloudops/storage/engine"
)

const (
	benchPoints = 100_000
	benchBatch  = 256
	benchSize   = 384
)

// BenchmarkUpsertAndOpen writes points with vectors through go-client, and the
// same bytes to a plain bbolt file, in turn and in the same batches, both
// durable; then it opens one and reads the other, in turn. What is compared is
// the ratios: absolute times are the machine's.
func BenchmarkUpsertAndOpen(b *testing.B) {
	for range b.N {
		f := start(b)
		client := f.client(b)
		benchCollection(b, client, benchSize)
		raw := openRaw(b)
		random := rand.New(rand.NewPCG(7, 8))
		// As storage does, four batches are on their way at a time; then some go one
		// after the other.
		var ours, theirs, oneByOne, theirOnes engine.Sample
		for from := 0; from < benchPoints; {
			atOnce, our, their := 4, &ours, &theirs
			if from >= benchPoints*9/10 {
				atOnce, our, their = 1, &oneByOne, &theirOnes
			}
			var requests []*qdrant.UpsertPoints
			var values [][]rawValue
			at := from
			for range min(8, (benchPoints-from+benchBatch-1)/benchBatch) {
				points := benchmarkPoints(random, from, min(benchBatch, benchPoints-from), benchSize, 1100)
				requests = append(requests, &qdrant.UpsertPoints{CollectionName: "c", Points: points, Wait: qdrant.PtrOf(true)})
				values = append(values, rawValues(b, points))
				from += len(points)
			}
			their.Time(func() {
				for _, v := range values {
					raw.put(b, at, v)
					at += len(v)
				}
			})
			our.Time(func() {
				var sending errgroup.Group
				sending.SetLimit(atOnce)
				for _, r := range requests {
					sending.Go(func() error {
						result, err := client.Upsert(ctx(), r)
						if err == nil && result.GetStatus() != qdrant.UpdateStatus_Completed {
							err = fmt.Errorf("the write is %s", result.GetStatus())
						}
						return err
					})
				}
				if err := sending.Wait(); err != nil {
					b.Fatal(err)
				}
			})
		}
		f.stop()
		raw.close(b)

		var opened, read engine.Sample
		for range 5 {
			read.Time(func() { raw.readAll(b) })
			opened.Time(f.begin)
			if n := f.count(); n != benchPoints {
				b.Fatalf("%d points are there", n)
			}
			f.stop()
		}
		f.begin() // for the cleanup
		r := engine.NewRatios(b, "100,000 points of 384 numbers and 1.5 KB", "engine", "raw bbolt", "ratio", "budget")
		r.Line("durable upsert, batches of 256", ours.Sum(), theirs.Sum(), "2.0x")
		r.Line("one batch after the other", oneByOne.Sum(), theirOnes.Sum(), "")
		r.Line("open, against reading all", opened.Median(), read.Median(), "3.0x")
		r.Print()
	}
}

// client is a stock go-client of the engine.
func (f *fixture) client(b *testing.B) *qdrant.Client {
	b.Helper()
	l := bufconn.Listen(1 << 20)
	go f.eng.Serve(l) // ends with the engine
	client, err := qdrant.NewClient(&qdrant.Config{
		Host: "passthrough:///engine", PoolSize: 1, KeepAliveTime: -1, SkipCompatibilityCheck: true,
		GrpcOptions: []grpc.DialOption{
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64 << 20)),
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { client.Close() })
	return client
}

// benchCollection makes a collection with the indexes of the estate.
func benchCollection(b *testing.B, client *qdrant.Client, size uint64) {
	b.Helper()
	err := client.CreateCollection(ctx(), &qdrant.CreateCollection{
		CollectionName: "c", VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: size, Distance: qdrant.Distance_Cosine}),
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, field := range []string{"resource_type", "account_id", "region", "service", "state", "last_synced"} {
		typ := qdrant.FieldType_FieldTypeKeyword
		if field == "last_synced" {
			typ = qdrant.FieldType_FieldTypeInteger
		}
		if _, err := client.CreateFieldIndex(ctx(), &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: field, FieldType: &typ}); err != nil {
			b.Fatal(err)
		}
	}
}

// benchmarkPoints are points as storage writes them: plain fields beside sealed
// bytes, which no compression makes smaller.
func benchmarkPoints(random *rand.Rand, from, n, size, sealed int) []*qdrant.PointStruct {
	points := make([]*qdrant.PointStruct, n)
	for i := range points {
		vector, secret := make([]float32, size), make([]byte, sealed)
		for j := range vector {
			vector[j] = float32(random.NormFloat64())
		}
		for j := range secret {
			secret[j] = byte(random.Uint32())
		}
		n := from + i
		points[i] = &qdrant.PointStruct{
			Id: qdrant.NewID(fmt.Sprintf("%08x-%04x-8000-8000-%012x", random.Uint32(), random.Uint32()>>16, n)), Vectors: qdrant.NewVectorsDense(vector),
			Payload: map[string]*qdrant.Value{
				"resource_type": qdrant.NewValueString(fmt.Sprint("type_", n%10)), "account_id": qdrant.NewValueString("123456789012"),
				"region": qdrant.NewValueString([]string{"us-west-2", "eu-west-1", "us-east-1"}[n%3]), "service": qdrant.NewValueString("ec2"),
				"state": qdrant.NewValueString("running"), "last_synced": qdrant.NewValueInt(1780000000 + int64(n)), "record_version": qdrant.NewValueInt(1),
				"encrypted_data": qdrant.NewValueString(base64.StdEncoding.EncodeToString(secret)),
			},
		}
	}
	return points
}

// rawStore is a plain bbolt file with vectors and payloads.
type rawStore struct {
	path string
	db   *bbolt.DB
}

type rawValue struct{ vector, payload []byte }

func rawValues(b *testing.B, points []*qdrant.PointStruct) []rawValue {
	b.Helper()
	values := make([]rawValue, len(points))
	for i, p := range points {
		vector := []byte(p.GetId().GetUuid())
		for _, x := range p.GetVectors().GetVector().GetDense().GetData() {
			vector = binary.LittleEndian.AppendUint32(vector, math.Float32bits(x))
		}
		payload, err := proto.Marshal(&qdrant.Struct{Fields: p.GetPayload()})
		if err != nil {
			b.Fatal(err)
		}
		values[i] = rawValue{vector, payload}
	}
	return values
}

func openRaw(b *testing.B) *rawStore {
	b.Helper()
	r := &rawStore{path: filepath.Join(b.TempDir(), "raw.db")}
	r.open(b)
	return r
}

func (r *rawStore) open(b *testing.B) {
	b.Helper()
	var err error
	if r.db, err = bbolt.Open(r.path, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType}); err != nil {
		b.Fatal(err)
	}
}

func (r *rawStore) close(b *testing.B) {
	b.Helper()
	if err := r.db.Close(); err != nil {
		b.Fatal(err)
	}
}

func (r *rawStore) put(b *testing.B, from int, values []rawValue) {
	b.Helper()
	err := r.db.Update(func(tx *bbolt.Tx) error {
		vectors, err := tx.CreateBucketIfNotExists([]byte("vectors"))
		if err != nil {
			return err
		}
		payloads, err := tx.CreateBucketIfNotExists([]byte("payloads"))
		if err != nil {
			return err
		}
		vectors.FillPercent, payloads.FillPercent = 0.9, 0.9
		for i, v := range values {
			key := binary.BigEndian.AppendUint64(nil, uint64(from+i))
			if err := vectors.Put(key, v.vector); err != nil {
				return err
			}
			if err := payloads.Put(key, v.payload); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// readAll opens the file and copies every value into memory.
func (r *rawStore) readAll(b *testing.B) {
	b.Helper()
	r.open(b)
	defer r.close(b)
	var all []byte
	err := r.db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(_ []byte, bucket *bbolt.Bucket) error {
			return bucket.ForEach(func(_, v []byte) error {
				if len(all)+len(v) > cap(all) {
					all = make([]byte, 0, 1<<20)
				}
				all = append(all, v...)
				return nil
			})
		})
	})
	if err != nil {
		b.Fatal(err)
	}
}

// count is how many points the collection c has.
func (f *fixture) count() int {
	f.t.Helper()
	resp, err := f.points.Count(ctx(), &qdrant.CountPoints{CollectionName: "c", Exact: qdrant.PtrOf(true)})
	f.must(err)
	return int(resp.GetResult().GetCount())
}
