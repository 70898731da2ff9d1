package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// The errors of recovery files that callers tell apart.
var (
	// ErrPassphrase: it does not open the recovery file, or is too weak for one.
	ErrPassphrase = errors.New("passphrase refused")
	// ErrNotRecovery: a file is no recovery file, or damaged.
	ErrNotRecovery = errors.New("not a whole recovery file")
	// ErrOtherStore: a recovery file does not hold the keys of the store.
	ErrOtherStore = errors.New("the recovery file does not fit the store")
)

const (
	recoveryTitle = "cloudops recovery file 1"
	// maxRecovery bounds what is read of a recovery file.
	maxRecovery = 1 << 20
	// scryptWork makes one guess of a passphrase cost about a second and 256 MiB.
	scryptWork = 18
	// maxScryptWork bounds what a file can ask for.
	maxScryptWork = 20
)

// recovery is what a recovery file protects: all keys of a store but the
// key-encryption key.
type recovery struct {
	Format  int    `json:"format"`
	StoreID string `json:"store_id"`
	// AEAD, PRF and Audit are Tink keysets in the clear.
	AEAD  []byte `json:"aead"`
	PRF   []byte `json:"prf"`
	Audit []byte `json:"audit,omitempty"`
	// State is that of the keyset file.
	State state `json:"state"`
}

func clearKeyset(h *keyset.Handle) ([]byte, error) {
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewBinaryWriter(&b)); err != nil {
		return nil, fmt.Errorf("encoding a keyset: %w", err)
	}
	return b.Bytes(), nil
}

func (c content) recovery() (*recovery, error) {
	r := &recovery{Format: format, StoreID: c.storeID, State: c.state}
	var err error
	if r.AEAD, err = clearKeyset(c.values); err != nil {
		return nil, err
	}
	if r.PRF, err = clearKeyset(c.points); err != nil {
		return nil, err
	}
	if c.retired != nil {
		r.Audit, err = clearKeyset(c.retired)
	}
	return r, err
}

// content is the inverse, without a key-encryption key.
func (r *recovery) content() (content, error) {
	c := content{storeID: r.StoreID, state: r.State}
	for _, k := range []struct {
		to   **keyset.Handle
		from []byte
	}{{&c.values, r.AEAD}, {&c.points, r.PRF}, {&c.retired, r.Audit}} {
		if k.to == &c.retired && len(k.from) == 0 {
			continue
		}
		h, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(k.from)))
		if err != nil {
			return c, fmt.Errorf("%w: a keyset in it can't be read", ErrNotRecovery)
		}
		*k.to = h
	}
	return c, nil
}

// Export is one making of a recovery file. The process that holds the keys hands
// them over sealed for the one that knows the passphrase, so that neither key
// nor passphrase lies open between them.
type Export struct {
	identity *age.X25519Identity
	// work is the logarithm of what a guess costs.
	work int
}

// NewExport begins an export, where the passphrase is.
func NewExport() (*Export, error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fmt.Errorf("beginning an export: %w", err)
	}
	return &Export{id, scryptWork}, nil
}

// Recipient is for whom Keys.Export seals.
func (e *Export) Recipient() string { return e.identity.Recipient().String() }

// Export returns all keys of the store, sealed for an Export.
func (k *Keys) Export(recipient string) ([]byte, error) {
	to, err := age.ParseX25519Recipient(recipient)
	if err != nil {
		return nil, errors.New("exporting the keys: the recipient is malformed")
	}
	k.changing.Lock()
	r, err := k.content.recovery()
	k.changing.Unlock()
	if err != nil {
		return nil, fmt.Errorf("exporting the keys: %w", err)
	}
	plain, err := json.Marshal(r)
	defer clear(plain)
	if err != nil {
		return nil, fmt.Errorf("exporting the keys: %w", err)
	}
	parcel, err := encrypt(plain, to)
	if err != nil {
		return nil, fmt.Errorf("exporting the keys: %w", err)
	}
	return parcel, nil
}

// Exported notes that a recovery file was made and is where it should be.
func (k *Keys) Exported() error {
	return k.change("noting the export", func(c content) (content, error) {
		c.state.Exported, c.state.ExportedKey = now(), keyIDs(c.values)[0]
		return c, nil
	})
}

// File turns what Keys.Export returned into a recovery file under a passphrase.
func (e *Export) File(parcel []byte, passphrase string) ([]byte, error) {
	if err := CheckPassphrase(passphrase); err != nil {
		return nil, err
	}
	plain, err := decrypt(bytes.NewReader(parcel), e.identity)
	defer clear(plain)
	var r recovery
	if err == nil {
		err = json.Unmarshal(plain, &r)
	}
	if err != nil {
		return nil, errors.New("making the recovery file: what the daemon sent is no export")
	}
	lock, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, fmt.Errorf("making the recovery file: %w", err)
	}
	lock.SetWorkFactor(e.work)
	sealed, err := encrypt(plain, lock)
	if err != nil {
		return nil, fmt.Errorf("making the recovery file: %w", err)
	}
	var body bytes.Buffer
	a := armor.NewWriter(&body)
	if _, err = a.Write(sealed); err == nil {
		err = a.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("making the recovery file: %w", err)
	}
	head := fmt.Sprintf("%s\nstore %s\nmade %s\n%s\n", recoveryTitle, r.StoreID, now().Format(time.RFC3339), checksum(body.Bytes()))
	return append([]byte(head), body.Bytes()...), nil
}

func encrypt(plain []byte, to age.Recipient) ([]byte, error) {
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func decrypt(from io.Reader, identity age.Identity) ([]byte, error) {
	r, err := age.Decrypt(from, identity)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, maxRecovery))
}

// CheckPassphrase refuses passphrases that are guessed too easily: whoever gets
// hold of a recovery file can guess for years.
func CheckPassphrase(p string) error {
	var different = map[rune]bool{}
	letters := false
	for _, r := range p {
		different[unicode.ToLower(r)] = true
		letters = letters || !unicode.IsDigit(r)
	}
	switch {
	case !utf8.ValidString(p) || strings.ContainsFunc(p, unicode.IsControl):
		return fmt.Errorf("%w: it holds characters that can't be typed everywhere", ErrPassphrase)
	case utf8.RuneCountInString(p) < 15:
		return fmt.Errorf("%w: use at least 15 characters, such as five words that have nothing to do with each other", ErrPassphrase)
	case len(different) < 8 || !letters:
		return fmt.Errorf("%w: it is too uniform; use five words that have nothing to do with each other", ErrPassphrase)
	}
	return nil
}

// RecoveryFile is a recovery file that was not opened yet. What it says of
// itself is not proven.
type RecoveryFile struct {
	StoreID string
	Made    time.Time
	body    []byte
	// maxWork bounds what it can ask for.
	maxWork int
}

// ReadRecovery takes a recovery file apart; ErrNotRecovery if it is none, or
// damaged.
func ReadRecovery(b []byte) (*RecoveryFile, error) {
	if len(b) > maxRecovery {
		return nil, fmt.Errorf("%w: it is larger than any", ErrNotRecovery)
	}
	// Mail and editors may have changed the ends of lines.
	text := strings.ReplaceAll(string(b), "\r\n", "\n")
	parts := strings.SplitN(text, "\n", 5)
	if parts[0] != recoveryTitle {
		if strings.HasPrefix(parts[0], "cloudops recovery file ") {
			return nil, fmt.Errorf("%w: a newer cloudops wrote it", ErrNotRecovery)
		}
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrNotRecovery, recoveryTitle)
	}
	if len(parts) < 5 || checksum([]byte(parts[4])) != parts[3] {
		return nil, fmt.Errorf("%w: its checksum does not match, it was cut off or changed; use another copy", ErrNotRecovery)
	}
	f := &RecoveryFile{body: []byte(parts[4]), maxWork: maxScryptWork}
	id, isID := strings.CutPrefix(parts[1], "store ")
	made, isMade := strings.CutPrefix(parts[2], "made ")
	var err error
	if f.Made, err = time.Parse(time.RFC3339, made); err != nil || !isMade || !isID || !isUUID(id) {
		return nil, fmt.Errorf("%w: its first lines were changed; use another copy", ErrNotRecovery)
	}
	f.StoreID = id
	return f, nil
}

// open decrypts it.
func (f *RecoveryFile) open(passphrase string) (content, error) {
	key, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return content{}, fmt.Errorf("%w: it is empty", ErrPassphrase)
	}
	key.SetMaxWorkFactor(f.maxWork)
	plain, err := decrypt(armor.NewReader(bytes.NewReader(f.body)), key)
	defer clear(plain)
	var unmatched *age.NoIdentityMatchError
	switch {
	case errors.As(err, &unmatched):
		return content{}, fmt.Errorf("%w: it does not open this recovery file", ErrPassphrase)
	case err != nil:
		return content{}, fmt.Errorf("%w: its encrypted part is damaged", ErrNotRecovery)
	}
	var r recovery
	dec := json.NewDecoder(bytes.NewReader(plain))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil || r.Format != format {
		return content{}, fmt.Errorf("%w: its content is of no known format", ErrNotRecovery)
	}
	if _, err := uuid.Parse(r.StoreID); err != nil || r.StoreID != f.StoreID {
		return content{}, fmt.Errorf("%w: its first lines were changed; use another copy", ErrNotRecovery)
	}
	return r.content()
}
