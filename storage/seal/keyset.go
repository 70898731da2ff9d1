package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/aead"
	aeadsubtle "github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// keySize is that of the key-encryption key: AES-256.
const keySize = 32

// maxKeyset bounds what is read of a keyset file.
const maxKeyset = 1 << 20

// errNoKeyset: the home has no keyset file.
var errNoKeyset = errors.New("no keyset file")

// keysetFile is the content of <home>/keyset: this as one line of JSON, then a
// line with its SHA-256, which tells damage from a wrong key.
type keysetFile struct {
	Format  int    `json:"format"`
	StoreID string `json:"store_id"`
	Source  Source `json:"key_source"`
	// AEAD seals values and wraps the conversations' keys.
	AEAD []byte `json:"aead"`
	// PRF derives point ids and digests. It outlives rotations of AEAD.
	PRF []byte `json:"prf"`
}

func keysetPath(home string) string { return filepath.Join(home, "keyset") }

// newKeyset makes fresh keysets, wrapped by a key-encryption key.
func newKeyset(src Source, kek []byte) (*keysetFile, error) {
	id, err := uuid.NewRandom()
	if err != nil {
		return nil, fmt.Errorf("making a store id: %w", err)
	}
	ks := &keysetFile{Format: format, StoreID: id.String(), Source: src}
	wrapper, err := aeadsubtle.NewAESGCM(kek)
	if err != nil {
		return nil, fmt.Errorf("preparing the key-encryption key: %w", err)
	}
	if ks.AEAD, err = wrapNew(aead.AES256GCMKeyTemplate(), wrapper, ks.additional("aead")); err != nil {
		return nil, err
	}
	if ks.PRF, err = wrapNew(prf.HMACSHA256PRFKeyTemplate(), wrapper, ks.additional("prf")); err != nil {
		return nil, err
	}
	return ks, nil
}

func (ks *keysetFile) additional(name string) []byte {
	return additional(purposeKeyset, ks.StoreID, name)
}

// wrapNew makes a keyset of one new key and encrypts it.
func wrapNew(t *tinkpb.KeyTemplate, wrapper tink.AEAD, additional []byte) ([]byte, error) {
	h, err := keyset.NewHandle(t)
	if err != nil {
		return nil, fmt.Errorf("making a keyset: %w", err)
	}
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

// open unwraps the keysets. The caller clears kek.
func (ks *keysetFile) open(home string, src Source, kek []byte, v vault) (*Keys, error) {
	wrapper, err := aeadsubtle.NewAESGCM(kek)
	if err != nil {
		return nil, fmt.Errorf("%w: %s does not hold a 32-byte key", ErrWrongKey, src)
	}
	wrong := fmt.Errorf("%w: the key in %s is not the one that %s was made with; bring that key back there, "+
		"or restore the keyset file from a backup", ErrWrongKey, src, keysetPath(home))
	values, err := unwrap(ks.AEAD, wrapper, ks.additional("aead"))
	if err != nil {
		return nil, wrong
	}
	points, err := unwrap(ks.PRF, wrapper, ks.additional("prf"))
	if err != nil {
		return nil, wrong
	}
	k := &Keys{home: home, storeID: ks.StoreID, source: src, vault: v,
		files: map[string]*File{}, conversations: map[string]*Sealer{}}
	if k.aead, err = aead.New(values); err != nil {
		return nil, fmt.Errorf("%w: using the value keyset: %w", ErrCorrupt, err)
	}
	if k.points, err = prf.NewPRFSet(points); err != nil {
		return nil, fmt.Errorf("%w: using the point keyset: %w", ErrCorrupt, err)
	}
	if _, err := k.points.ComputePrimaryPRF(nil, 32); err != nil {
		return nil, fmt.Errorf("%w: using the point keyset: %w", ErrCorrupt, err)
	}
	packer, err := newPacker()
	if err != nil {
		return nil, err
	}
	k.main = &Sealer{storeID: ks.StoreID, aead: k.aead, packer: packer}
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
		return nil, fmt.Errorf("%w: %s: %w; restore the file from a backup, nothing was changed", ErrCorrupt, keysetPath(home), err)
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
	if ks.Format > format {
		return nil, fmt.Errorf("it is of format %d, which a newer cloudops wrote", ks.Format)
	}
	if err != nil || ks.Format != format {
		return nil, errors.New("it is not a keyset")
	}
	if id, err := uuid.Parse(ks.StoreID); err != nil || id.String() != ks.StoreID {
		return nil, errors.New("it has no store id")
	}
	return &ks, nil
}

func (ks *keysetFile) write(home string) error {
	line, err := json.Marshal(ks)
	if err != nil {
		return fmt.Errorf("encoding the keyset file: %w", err)
	}
	b := append(append(line, '\n'), checksum(line)+"\n"...)
	if err := replaceFile(keysetPath(home), b); err != nil {
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
		"or move the store away to begin a new one", ErrNoKey, data, keysetPath(home))
}
