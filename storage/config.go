package storage

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cloudops/cloudops/storage/seal"
)

// Config is where and how the estate is kept. A field that is left out has its
// default.
type Config struct {
	// DataPath is the folder of the store, such as ~/.cloudops/data. It lies in
	// the home of the keys; empty means the folder data there.
	DataPath    string            `json:"data_path,omitempty" yaml:"data_path,omitempty"`
	Qdrant      QdrantConfig      `json:"qdrant,omitzero" yaml:"qdrant,omitempty"`
	Collections CollectionConfigs `json:"collections,omitzero" yaml:"collections,omitempty"`
	Embedding   EmbeddingConfig   `json:"embedding,omitzero" yaml:"embedding,omitempty"`
	S3Backup    *S3BackupConfig   `json:"s3_backup,omitempty" yaml:"s3_backup,omitempty"`
}

// QdrantConfig says which Qdrant is used.
type QdrantConfig struct {
	// Mode is embedded, local or remote; `cloudops migrate` changes it.
	Mode string `json:"mode,omitempty" yaml:"mode,omitempty"`
	// StoragePath is where the embedded engine or a local Qdrant keeps its
	// files; it lies in data_path. Empty means the folder qdrant or qdrant-local.
	StoragePath string `json:"storage_path,omitempty" yaml:"storage_path,omitempty"`
	// URL is the gRPC address of a remote Qdrant, such as
	// https://qdrant.example:6334; http is for this machine only.
	URL string `json:"url,omitempty" yaml:"url,omitempty"`
	// APIKey says where the key of a remote Qdrant is; it never stands here.
	APIKey seal.Source `json:"api_key,omitzero" yaml:"api_key,omitempty"`
	// TLS is for servers whose certificate the system does not know, or that
	// ask for one.
	TLS QdrantTLS `json:"tls,omitzero" yaml:"tls,omitempty"`
	// Binary is the qdrant program of mode local; empty means the one in the
	// system's folders.
	Binary string `json:"binary,omitempty" yaml:"binary,omitempty"`
}

// QdrantTLS names PEM files.
type QdrantTLS struct {
	CAFile   string `json:"ca_file,omitempty" yaml:"ca_file,omitempty"`
	CertFile string `json:"cert_file,omitempty" yaml:"cert_file,omitempty"`
	KeyFile  string `json:"key_file,omitempty" yaml:"key_file,omitempty"`
}

// CollectionConfigs are the two collections.
type CollectionConfigs struct {
	ChatHistory CollectionConfig `json:"chat_history,omitzero" yaml:"chat_history,omitempty"`
	AWSEstate   CollectionConfig `json:"aws_estate,omitzero" yaml:"aws_estate,omitempty"`
}

// CollectionConfig is one collection.
type CollectionConfig struct {
	// Name is the alias that the collection is used by.
	Name string `json:"name,omitempty" yaml:"name,omitempty"`
	// VectorSize is the dimension of the vectors to come.
	VectorSize int `json:"vector_size,omitempty" yaml:"vector_size,omitempty"`
	// Distance is cosine, euclidean, dot or manhattan.
	Distance string `json:"distance,omitempty" yaml:"distance,omitempty"`
	// IndexedFields adds payload fields in the clear to those that are always
	// there. Only the estate takes any: tags.KEY, a keyword.
	IndexedFields []IndexedField `json:"indexed_fields,omitempty" yaml:"indexed_fields,omitempty"`
	HNSW          *HNSWConfig    `json:"hnsw_config,omitempty" yaml:"hnsw_config,omitempty"`
	// Memmap and WAL are handed to a local or remote Qdrant when the collection is
	// made; the embedded engine has neither.
	Memmap *MemmapConfig `json:"memmap_config,omitempty" yaml:"memmap_config,omitempty"`
	WAL    *WALConfig    `json:"wal_config,omitempty" yaml:"wal_config,omitempty"`
}

// MemmapConfig says what Qdrant maps from disk instead of keeping it in memory.
type MemmapConfig struct {
	// OnDisk maps all vectors; left out, those of segments above the threshold.
	OnDisk *bool `json:"on_disk,omitempty" yaml:"on_disk,omitempty"`
	// ThresholdKB is the size of a segment's vectors from which on they are
	// mapped; 0 means Qdrant's own.
	ThresholdKB int `json:"threshold_kb,omitempty" yaml:"threshold_kb,omitempty"`
}

// WALConfig is about Qdrant's write-ahead log; 0 means Qdrant's own.
type WALConfig struct {
	CapacityMB    int `json:"capacity_mb,omitempty" yaml:"capacity_mb,omitempty"`
	SegmentsAhead int `json:"segments_ahead,omitempty" yaml:"segments_ahead,omitempty"`
}

// IndexedField is a payload field that stands outside the seal.
type IndexedField struct {
	Name string `json:"name" yaml:"name"`
	// Type is keyword, integer, float, bool, geo or text. A tag whose value is no
	// such thing is left out; a geo tag reads "latitude,longitude".
	Type    string `json:"field_type" yaml:"field_type"`
	Indexed bool   `json:"indexed" yaml:"indexed"`
}

// HNSWConfig is handed to Qdrant; the embedded engine searches exactly.
type HNSWConfig struct {
	M                 int `json:"m,omitempty" yaml:"m,omitempty"`
	EfConstruct       int `json:"ef_construct,omitempty" yaml:"ef_construct,omitempty"`
	FullScanThreshold int `json:"full_scan_threshold,omitempty" yaml:"full_scan_threshold,omitempty"`
}

// Names of the plain payload fields.
const (
	fieldType      = "resource_type"
	fieldAccount   = "account_id"
	fieldRegion    = "region"
	fieldService   = "service"
	fieldState     = "state"
	fieldSynced    = "last_synced"
	fieldTags      = "tags"
	fieldContext   = "context_id"
	fieldIndex     = "message_index"
	fieldRole      = "role"
	fieldTimestamp = "timestamp"
	fieldVersion   = "record_version"
)

const (
	kindKeyword = "keyword"
	kindInteger = "integer"
	kindFloat   = "float"
	kindBool    = "bool"
	kindGeo     = "geo"
	kindText    = "text"
)

func estateFields() []IndexedField {
	return []IndexedField{
		{fieldType, kindKeyword, true}, {fieldAccount, kindKeyword, true}, {fieldRegion, kindKeyword, true},
		{fieldService, kindKeyword, true}, {fieldState, kindKeyword, true}, {fieldSynced, kindInteger, true},
	}
}

func chatFields() []IndexedField {
	return []IndexedField{
		{fieldContext, kindKeyword, true}, {fieldIndex, kindInteger, true},
		{fieldRole, kindKeyword, true}, {fieldTimestamp, kindInteger, true},
	}
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	if c.Qdrant.Mode == "" {
		c.Qdrant.Mode = "embedded"
	}
	c.Qdrant.Mode = strings.ToLower(c.Qdrant.Mode)
	c.Collections.ChatHistory.fill("chat_history", 1, "dot", chatFields())
	c.Collections.AWSEstate.fill("aws_estate", 384, "cosine", estateFields())
	if c.Collections.AWSEstate.HNSW == nil {
		c.Collections.AWSEstate.HNSW = &HNSWConfig{M: 16, EfConstruct: 100, FullScanThreshold: 10000}
	}
	c.Embedding = c.Embedding.withDefaults(c.Collections.AWSEstate.VectorSize)
	c.S3Backup = c.S3Backup.withDefaults()
	return c
}

func (c *CollectionConfig) fill(name string, size int, distance string, fields []IndexedField) {
	if c.Name == "" {
		c.Name = name
	}
	if c.VectorSize == 0 {
		c.VectorSize = size
	}
	if c.Distance == "" {
		c.Distance = distance
	}
	c.Distance = strings.ToLower(c.Distance)
	for _, f := range c.IndexedFields {
		f.Type = strings.ToLower(f.Type)
		if !slices.ContainsFunc(fields, func(have IndexedField) bool { return have.Name == f.Name }) || !slices.Contains(fields, f) {
			fields = append(fields, f)
		}
	}
	c.IndexedFields = fields
}

// Validate says what is wrong with a configuration, all of it.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	errs = append(errs, c.Qdrant.validate())
	estate, chat := c.Collections.AWSEstate, c.Collections.ChatHistory
	if estate.Name == chat.Name {
		errs = append(errs, fmt.Errorf("collections: both are named %q", chat.Name))
	}
	errs = append(errs, estate.validate("collections.aws_estate", len(estateFields()), true))
	errs = append(errs, chat.validate("collections.chat_history", len(chatFields()), false))
	errs = append(errs, c.Embedding.validate(estate.VectorSize), c.S3Backup.validate())
	return errors.Join(errs...)
}

func (c CollectionConfig) validate(at string, builtin int, tags bool) error {
	var errs []error
	if len(c.Name) > 200 || strings.ContainsFunc(c.Name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	}) {
		errs = append(errs, fmt.Errorf("%s.name %q: use up to 200 letters, digits, _ and -", at, c.Name))
	}
	if c.VectorSize < 1 || c.VectorSize > 65536 {
		errs = append(errs, fmt.Errorf("%s.vector_size %d: must be 1 to 65536", at, c.VectorSize))
	}
	if !slices.Contains([]string{"cosine", "euclidean", "dot", "manhattan"}, c.Distance) {
		errs = append(errs, fmt.Errorf("%s.distance %q: must be cosine, euclidean, dot or manhattan", at, c.Distance))
	}
	if h := c.HNSW; h != nil && (h.M < 0 || h.EfConstruct < 0 || h.FullScanThreshold < 0) {
		errs = append(errs, fmt.Errorf("%s.hnsw_config: no number may be negative", at))
	}
	if m := c.Memmap; m != nil && m.ThresholdKB < 0 {
		errs = append(errs, fmt.Errorf("%s.memmap_config.threshold_kb: must not be negative", at))
	}
	if w := c.WAL; w != nil && (w.CapacityMB < 0 || w.SegmentsAhead < 0) {
		errs = append(errs, fmt.Errorf("%s.wal_config: no number may be negative", at))
	}
	seen := map[string]bool{}
	for i, f := range c.IndexedFields {
		key, isTag := strings.CutPrefix(f.Name, fieldTags+".")
		switch {
		case seen[f.Name]:
			errs = append(errs, fmt.Errorf("%s.indexed_fields: %q is there twice, or not as it must be", at, f.Name))
		case i < builtin:
		case !tags || !isTag || key == "":
			errs = append(errs, fmt.Errorf("%s.indexed_fields: %q is no field that can be stored in the clear", at, f.Name))
		case !slices.Contains([]string{kindKeyword, kindInteger, kindFloat, kindBool, kindGeo, kindText}, f.Type):
			errs = append(errs, fmt.Errorf("%s.indexed_fields: %q has the field_type %q: use keyword, integer, float, bool, geo or text", at, f.Name, f.Type))
		case strings.ContainsAny(key, `"\`):
			errs = append(errs, fmt.Errorf("%s.indexed_fields: %q: Qdrant cannot address a key with quotes or backslashes", at, f.Name))
		}
		seen[f.Name] = true
	}
	return errors.Join(errs...)
}

// plainTags are the types of the tag keys that are stored in the clear.
func (c CollectionConfig) plainTags() map[string]string {
	keys := map[string]string{}
	for _, f := range c.IndexedFields {
		if key, ok := strings.CutPrefix(f.Name, fieldTags+"."); ok {
			keys[key] = f.Type
		}
	}
	return keys
}

// path is the field as Qdrant's JSON path; a tag key is one segment of it.
func (f IndexedField) path() string {
	key, ok := strings.CutPrefix(f.Name, fieldTags+".")
	if !ok {
		return f.Name
	}
	if strings.ContainsFunc(key, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	}) {
		key = `"` + key + `"`
	}
	return fieldTags + "." + key
}

// Effective is the configuration with everything filled in that was left out.
func (c Config) Effective() Config { return c.withDefaults() }
