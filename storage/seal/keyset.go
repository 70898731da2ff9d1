package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/aead"
	aeadsubtle "github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// keySize is that of the key-encryption key: AES-256.
const keySize = 32

// maxKeyset bounds what is read of a keyset file.
const maxKeyset = 1 << 20

// errNoKeyset: the home has no keyset file.
var errNoKeyset = errors.New("no keyset file")

// The formats of the keyset file. Format 1 has no state and no retired keys.
const (
	keysetFormat1 = 1
	keysetFormat  = 2
)

// keysetFile is the content of <home>/keyset: this as one line of JSON, then a
// line with its SHA-256, which tells damage from a wrong key.
type keysetFile struct {
	Format  int    `json:"format"`
	StoreID string `json:"store_id"`
	Source  Source `json:"key_source"`
	// Next: the key-encryption key is being replaced, so that it may be the one
	// beside its place.
	Next bool `json:"next,omitempty"`
	// AEAD seals values and wraps the conversations' keys.
	AEAD []byte `json:"aead"`
	// PRF derives point ids and digests. It outlives rotations of AEAD.
	PRF []byte `json:"prf"`
	// Audit opens records of the audit log that keys sealed which are no longer
	// in AEAD.
	Audit []byte `json:"audit,omitempty"`
	// State is the sealed JSON of a state.
	State []byte `json:"state,omitempty"`
}

// state is what is remembered of the keys.
type state struct {
	// Made says when each key was made, by its id.
	Made map[uint32]time.Time `json:"made,omitempty"`
	// Exported is when a recovery file was last made, ExportedKey the key that was
	// the newest then.
	Exported    time.Time `json:"exported_at,omitzero"`
	ExportedKey uint32    `json:"exported_key,omitempty"`
	// Imported is when the keys came from a recovery file, until that is on the
	// audit log.
	Imported time.Time `json:"imported_at,omitzero"`
	// AuditUntil is the last record of the audit log that each retired key opens.
	AuditUntil map[uint32]uint64 `json:"audit_until,omitempty"`
}

// clone is for changes that may not come about.
func (s state) clone() state {
	s.Made, s.AuditUntil = maps.Clone(s.Made), maps.Clone(s.AuditUntil)
	if s.Made == nil {
		s.Made = map[uint32]time.Time{}
	}
	if s.AuditUntil == nil {
		s.AuditUntil = map[uint32]uint64{}
	}
	return s
}

func statePlace() Place { return Place{Collection: "keyset", Point: "state", Field: "content"} }

// content is all that a keyset file holds, opened.
type content struct {
	storeID string
	source  Source
	next    bool
	// values seal; of retired, which may be nil, only audit records are opened.
	values, points, retired *keyset.Handle
	state                   state
	// wrapper is the key-encryption key.
	wrapper tink.AEAD
}

func keysetPath(home string) string { return filepath.Join(home, "keyset") }

// newContent makes the keys of a new store.
func newContent(src Source, kek []byte) (content, error) {
	c := content{source: src}
	id, err := uuid.NewRandom()
	if err != nil {
		return c, fmt.Errorf("making a store id: %w", err)
	}
	c.storeID = id.String()
	if c.wrapper, err = aeadsubtle.NewAESGCM(kek); err != nil {
		return c, fmt.Errorf("preparing the key-encryption key: %w", err)
	}
	if c.values, err = keyset.NewHandle(aead.AES256GCMKeyTemplate()); err != nil {
		return c, fmt.Errorf("making a keyset: %w", err)
	}
	if c.points, err = keyset.NewHandle(prf.HMACSHA256PRFKeyTemplate()); err != nil {
		return c, fmt.Errorf("making a keyset: %w", err)
	}
	c.state.Made = map[uint32]time.Time{keyIDs(c.values)[0]: now()}
	return c, nil
}

// now is the present, as precisely as it is kept.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// wrap encrypts a keyset.
func wrap(h *keyset.Handle, wrapper tink.AEAD, additional []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := h.WriteWithAssociatedData(keyset.NewBinaryWriter(&b), wrapper, additional); err != nil {
		return nil, fmt.Errorf("wrapping a keyset: %w", err)
	}
	return b.Bytes(), nil
}

// unwrap decrypts a keyset. Its errors don't say why: the cipher does not know.
func unwrap(wrapped []byte, wrapper tink.AEAD, additional []byte) (*keyset.Handle, error) {
	h, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(wrapped)), wrapper, additional)
	if err != nil {
		return nil, ErrUnauthenticated
	}
	return h, nil
}

func keysetAdditional(storeID, name string) []byte { return additional(purposeKeyset, storeID, name) }

// file is a content, wrapped.
func (c content) file() (*keysetFile, error) {
	ks := &keysetFile{Format: keysetFormat, StoreID: c.storeID, Source: c.source, Next: c.next}
	var err error
	if ks.AEAD, err = wrap(c.values, c.wrapper, keysetAdditional(c.storeID, "aead")); err != nil {
		return nil, err
	}
	if ks.PRF, err = wrap(c.points, c.wrapper, keysetAdditional(c.storeID, "prf")); err != nil {
		return nil, err
	}
	if c.retired != nil {
		if ks.Audit, err = wrap(c.retired, c.wrapper, keysetAdditional(c.storeID, "audit")); err != nil {
			return nil, err
		}
	}
	plain, err := json.Marshal(c.state)
	if err != nil {
		return nil, fmt.Errorf("encoding the keyset's state: %w", err)
	}
	sealer, err := c.sealer()
	if err != nil {
		return nil, err
	}
	if ks.State, err = sealer.Seal(plain, statePlace()); err != nil {
		return nil, err
	}
	return ks, nil
}

// sealer seals under the value keyset.
func (c content) sealer() (*Sealer, error) {
	r, err := newRing(c.values)
	if err != nil {
		return nil, fmt.Errorf("using the value keyset: %w", err)
	}
	packer, err := newPacker()
	if err != nil {
		return nil, err
	}
	return &Sealer{storeID: c.storeID, aead: r, packer: packer}, nil
}

// open unwraps a keyset file; ErrWrongKey if its key-encryption key is another
// one. The caller clears kek.
func (ks *keysetFile) open(home string, src Source, kek []byte) (content, error) {
	c := content{storeID: ks.StoreID, source: src, next: ks.Next}
	wrapper, err := aeadsubtle.NewAESGCM(kek)
	if err != nil {
		return c, fmt.Errorf("%w: %s does not hold a 32-byte key", ErrWrongKey, src)
	}
	c.wrapper = wrapper
	wrong := fmt.Errorf("%w: the key in %s is not the one that %s was made with; bring that key back there, "+
		"bring the keys back from a recovery file (cloudops key import), or restore the keyset file from a backup", ErrWrongKey, src, keysetPath(home))
	if c.values, err = unwrap(ks.AEAD, wrapper, keysetAdditional(ks.StoreID, "aead")); err != nil {
		return c, wrong
	}
	if c.points, err = unwrap(ks.PRF, wrapper, keysetAdditional(ks.StoreID, "prf")); err != nil {
		return c, wrong
	}
	if ks.Format == keysetFormat1 {
		return c, nil
	}
	if len(ks.Audit) > 0 {
		if c.retired, err = unwrap(ks.Audit, wrapper, keysetAdditional(ks.StoreID, "audit")); err != nil {
			return c, fmt.Errorf("%w: the retired keys in %s do not open", ErrCorrupt, keysetPath(home))
		}
	}
	sealer, err := c.sealer()
	if err != nil {
		return c, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	plain, err := sealer.Open(ks.State, statePlace())
	if err == nil {
		err = json.Unmarshal(plain, &c.state)
	}
	if err != nil {
		return c, fmt.Errorf("%w: the state in %s does not open", ErrCorrupt, keysetPath(home))
	}
	return c, nil
}

// keys puts a content to use.
func (c content) keys(home string, v vault) (*Keys, error) {
	k := &Keys{home: home, storeID: c.storeID, source: c.source, vault: v, content: c,
		files: map[string]*File{}, conversations: map[string]*Sealer{}}
	var err error
	if k.main, err = c.sealer(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	k.values = k.main.aead
	if k.points, err = prf.NewPRFSet(c.points); err != nil {
		return nil, fmt.Errorf("%w: using the point keyset: %w", ErrCorrupt, err)
	}
	if _, err := k.points.ComputePrimaryPRF(nil, 32); err != nil {
		return nil, fmt.Errorf("%w: using the point keyset: %w", ErrCorrupt, err)
	}
	old, err := c.openRetired(k.main.packer)
	if err != nil {
		return nil, fmt.Errorf("%w: using the retired keys: %w", ErrCorrupt, err)
	}
	k.retired.Store(old)
	return k, nil
}

// readKeyset reads and checks the keyset file; errNoKeyset if there is none.
func readKeyset(home string) (*keysetFile, error) {
	b, err := readSmall(keysetPath(home), maxKeyset)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoKeyset
	}
	if err != nil {
		return nil, fmt.Errorf("reading the keyset file: %w", err)
	}
	ks, err := parseKeyset(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w; restore the file from a backup, or the keys from a recovery file (cloudops key import); nothing was changed", ErrCorrupt, keysetPath(home), err)
	}
	return ks, nil
}

func parseKeyset(b []byte) (*keysetFile, error) {
	line, rest, ok := bytes.Cut(b, []byte("\n"))
	if !ok || string(rest) != checksum(line)+"\n" {
		return nil, errors.New("its checksum does not match")
	}
	var ks keysetFile
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	err := dec.Decode(&ks)
	if ks.Format > keysetFormat {
		return nil, fmt.Errorf("it is of format %d, which a newer cloudops wrote", ks.Format)
	}
	if err != nil || ks.Format < keysetFormat1 {
		return nil, errors.New("it is not a keyset")
	}
	if id, err := uuid.Parse(ks.StoreID); err != nil || id.String() != ks.StoreID {
		return nil, errors.New("it has no store id")
	}
	return &ks, nil
}

// write makes a content the home's keyset file, durable on return.
func (c content) write(home string) error {
	ks, err := c.file()
	if err != nil {
		return err
	}
	return ks.write(home)
}

func (ks *keysetFile) write(home string) error {
	line, err := json.Marshal(ks)
	if err != nil {
		return fmt.Errorf("encoding the keyset file: %w", err)
	}
	b := append(append(line, '\n'), checksum(line)+"\n"...)
	if err := ReplaceFile(keysetPath(home), b); err != nil {
		return fmt.Errorf("writing the keyset file: %w", err)
	}
	return nil
}

func checksum(line []byte) string {
	sum := sha256.Sum256(line)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// refuseOrphanStore reports a store whose keyset file is lost. A new keyset
// beside it would only bury the loss.
func refuseOrphanStore(home string) error {
	data := filepath.Join(home, "data")
	entries, err := os.ReadDir(data)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for a store: %w", err)
	}
	return fmt.Errorf("%w: there is a store in %s but no %s; restore that file from a backup, "+
		"bring the keys back from a recovery file (cloudops key import), or move the store away to begin a new one", ErrNoKey, data, keysetPath(home))
}
