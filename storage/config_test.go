package storage

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"

	"github.com/cloudops/cloudops/storage/kind"
	"github.com/cloudops/cloudops/storage/seal"
)

func TestEmbeddingAndBackupSettings(t *testing.T) {
	key := seal.Source{EnvVar: "K"}
	for name, c := range map[string]struct {
		cfg  Config
		want string // "" is valid
	}{
		"nothing":                {Config{}, ""},
		"none, with the rest":    {Config{Embedding: EmbeddingConfig{Provider: "None", Model: "m", GenerationMode: "OnWrite", APIKey: key}}, ""},
		"another dimension":      {Config{Embedding: EmbeddingConfig{Dimension: 768}}, "vector_size of collections.aws_estate, which is 384"},
		"the same dimension":     {Config{Embedding: EmbeddingConfig{Dimension: 768}, Collections: CollectionConfigs{AWSEstate: CollectionConfig{VectorSize: 768}}}, ""},
		"a mode that is none":    {Config{Embedding: EmbeddingConfig{GenerationMode: "never"}}, "generation_mode"},
		"openai":                 {Config{Embedding: EmbeddingConfig{Provider: "OpenAI", Model: "m", APIKey: key}}, "makes no vectors yet"},
		"openai without a key":   {Config{Embedding: EmbeddingConfig{Provider: "openai", Model: "m"}}, "embedding.api_key: the provider openai needs it"},
		"openai without a model": {Config{Embedding: EmbeddingConfig{Provider: "openai", APIKey: key}}, "embedding.model: the provider openai needs it"},
		"a server in the clear":  {Config{Embedding: EmbeddingConfig{Provider: "server", Model: "m", Endpoint: "http://example.com"}}, "http is for this machine only"},
		"a password":             {Config{Embedding: EmbeddingConfig{Provider: "server", Model: "m", Endpoint: "https://u:p@example.com"}}, "must hold no password"},
		"local, elsewhere":       {Config{Embedding: EmbeddingConfig{Provider: "local", Model: "m", Endpoint: "https://example.com"}}, "use the provider server"},
		"local":                  {Config{Embedding: EmbeddingConfig{Provider: "local", Model: "m", Endpoint: "http://localhost:11434"}}, "makes no vectors yet"},
		"local with a key":       {Config{Embedding: EmbeddingConfig{Provider: "local", Model: "m", Endpoint: "http://localhost:11434", APIKey: key}}, "embedding.api_key: the provider local has none"},
		"fastembed":              {Config{Embedding: EmbeddingConfig{Provider: "fastembed", ModelPath: "models"}}, "must be an absolute path"},
		"S3, at rest":            {Config{S3Backup: &S3BackupConfig{Bucket: "my-cloudops-backup", Region: "us-west-2"}}, ""},
		"S3, at work":            {Config{S3Backup: &S3BackupConfig{Bucket: "my-cloudops-backup", Region: "us-west-2", AutoSync: true}}, "makes no backups yet"},
		"S3 without a bucket":    {Config{S3Backup: &S3BackupConfig{Region: "us-gov-west-1"}}, "s3_backup.bucket"},
		"S3 without a region":    {Config{S3Backup: &S3BackupConfig{Bucket: "my-cloudops-backup"}}, "s3_backup.region"},
		"S3 never":               {Config{S3Backup: &S3BackupConfig{Bucket: "my-cloudops-backup", Region: "us-west-2", IntervalHours: -1}}, "interval_hours"},
		"S3 for no time":         {Config{S3Backup: &S3BackupConfig{Bucket: "my-cloudops-backup", Region: "us-west-2", RetentionDays: -1}}, "retention_days"},
		"a log of no size":       {Config{Collections: CollectionConfigs{ChatHistory: CollectionConfig{WAL: &WALConfig{CapacityMB: -1}}}}, "wal_config"},
	} {
		err := c.cfg.Validate()
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	got := Config{S3Backup: &S3BackupConfig{Bucket: "b"}, Embedding: EmbeddingConfig{GenerationMode: "Lazy"}}.Effective()
	if got.S3Backup.IntervalHours != 24 || got.S3Backup.RetentionDays != 30 || got.Embedding.Provider != "none" || got.Embedding.Dimension != 384 || got.Embedding.GenerationMode != "lazy" {
		t.Errorf("the defaults are %+v, %+v", got.Embedding, *got.S3Backup)
	}
}

func TestCollectionsAreMadeAsConfigured(t *testing.T) {
	c := Config{Collections: CollectionConfigs{AWSEstate: CollectionConfig{
		VectorSize: 8, Distance: "Euclidean", HNSW: &HNSWConfig{M: 32, EfConstruct: 200, FullScanThreshold: 5000},
		Memmap: &MemmapConfig{OnDisk: qdrant.PtrOf(true), ThresholdKB: 20000}, WAL: &WALConfig{CapacityMB: 64, SegmentsAhead: 1},
	}}}.withDefaults().Collections
	want := &qdrant.CreateCollection{
		CollectionName:   "x",
		VectorsConfig:    qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 8, Distance: qdrant.Distance_Euclid, OnDisk: qdrant.PtrOf(true)}),
		HnswConfig:       &qdrant.HnswConfigDiff{M: qdrant.PtrOf(uint64(32)), EfConstruct: qdrant.PtrOf(uint64(200)), FullScanThreshold: qdrant.PtrOf(uint64(5000))},
		OptimizersConfig: &qdrant.OptimizersConfigDiff{MemmapThreshold: qdrant.PtrOf(uint64(20000))},
		WalConfig:        &qdrant.WalConfigDiff{WalCapacityMb: qdrant.PtrOf(uint64(64)), WalSegmentsAhead: qdrant.PtrOf(uint64(1))},
	}
	if got := creation("x", c.AWSEstate); !proto.Equal(got, want) {
		t.Errorf("the estate is made by\n%v, want\n%v", got, want)
	}
	plain := &qdrant.CreateCollection{
		CollectionName: "y", VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 1, Distance: qdrant.Distance_Dot}),
	}
	if got := creation("y", c.ChatHistory); !proto.Equal(got, plain) {
		t.Errorf("the chat is made by\n%v, want\n%v", got, plain)
	}
	for name, want := range map[string]qdrant.Distance{
		"cosine": qdrant.Distance_Cosine, "euclidean": qdrant.Distance_Euclid, "dot": qdrant.Distance_Dot, "manhattan": qdrant.Distance_Manhattan,
	} {
		if got := distance(name); got != want {
			t.Errorf("distance %s is %v", name, got)
		}
	}
	// What the embedded engine has no use for keeps it from nothing.
	s := newHome(t).openConfig(t, Config{Collections: CollectionConfigs{AWSEstate: CollectionConfig{
		Memmap: &MemmapConfig{OnDisk: qdrant.PtrOf(true)}, WAL: &WALConfig{CapacityMB: 64},
	}}})
	if err := s.Estate.Upsert(t.Context(), instance(1)); err != nil {
		t.Error(err)
	}
}

func TestTheStoragePathLiesInTheDataPath(t *testing.T) {
	h := newHome(t)
	inside := filepath.Join(h.dir, "data", "elsewhere")
	s := h.openConfig(t, Config{Qdrant: QdrantConfig{StoragePath: inside}})
	if err := s.Estate.Upsert(t.Context(), instance(1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if found, err := filepath.Glob(filepath.Join(inside, "*")); err != nil || len(found) == 0 {
		t.Errorf("%s holds %v, %v", inside, found, err)
	}
	for _, path := range []string{t.TempDir(), filepath.Join(h.dir, "data"), filepath.Join(h.dir, "data", "..", "audit"), "relative"} {
		if s, err := Open(t.Context(), Config{Qdrant: QdrantConfig{StoragePath: path}}, h.keys, &kind.Set{}); err == nil {
			s.Close()
			t.Errorf("storage_path %s is taken", path)
		} else if !strings.Contains(err.Error(), "storage_path") {
			t.Errorf("storage_path %s: %v", path, err)
		}
	}
}

func TestEveryIndexIsMade(t *testing.T) {
	s := newHome(t).openConfig(t, Config{Collections: CollectionConfigs{AWSEstate: CollectionConfig{
		IndexedFields: append(everyType(), IndexedField{Name: "tags.plain", Type: "keyword"}),
	}}})
	for name, want := range map[string]map[string]qdrant.PayloadSchemaType{
		s.Chat.name: {
			"context_id": qdrant.PayloadSchemaType_Keyword, "message_index": qdrant.PayloadSchemaType_Integer,
			"role": qdrant.PayloadSchemaType_Keyword, "timestamp": qdrant.PayloadSchemaType_Integer,
		},
		s.Estate.name: {
			"resource_type": qdrant.PayloadSchemaType_Keyword, "account_id": qdrant.PayloadSchemaType_Keyword, "region": qdrant.PayloadSchemaType_Keyword,
			"service": qdrant.PayloadSchemaType_Keyword, "state": qdrant.PayloadSchemaType_Keyword, "last_synced": qdrant.PayloadSchemaType_Integer,
			"tags.keyword": qdrant.PayloadSchemaType_Keyword, "tags.integer": qdrant.PayloadSchemaType_Integer, "tags.float": qdrant.PayloadSchemaType_Float,
			"tags.bool": qdrant.PayloadSchemaType_Bool, "tags.geo": qdrant.PayloadSchemaType_Geo, "tags.text": qdrant.PayloadSchemaType_Text,
		},
	} {
		info, err := s.Chat.client.GetCollectionInfo(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]qdrant.PayloadSchemaType{}
		for field, schema := range info.GetPayloadSchema() {
			got[field] = schema.GetDataType()
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s has the indexes %v, want %v", name, got, want)
		}
	}
}
