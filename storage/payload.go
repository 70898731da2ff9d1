package storage

import (
	"encoding/base64"
	"fmt"
	"unicode/utf8"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"

	"github.com/cloudops/cloudops/storage/seal"
)

// sealer is what seals a payload: the keys of the home or of a conversation.
type sealer interface {
	Seal([]byte, seal.Place) ([]byte, error)
	Open([]byte, seal.Place) ([]byte, error)
}

// sealField puts a sealed value and its version into a payload.
func sealField(s sealer, payload map[string]*qdrant.Value, plain []byte, at seal.Place) error {
	sealed, err := s.Seal(plain, at)
	if err != nil {
		return err
	}
	payload[at.Field] = qdrant.NewValueString(base64.StdEncoding.EncodeToString(sealed))
	payload[fieldVersion] = qdrant.NewValueInt(int64(at.Version))
	return nil
}

// openField is the inverse; the version is taken from the payload. What the
// seal holds must be compared with the plain fields by the caller.
func openField(s sealer, payload map[string]*qdrant.Value, at seal.Place) (plain []byte, version uint64, err error) {
	sealed, err := base64.StdEncoding.Strict().DecodeString(payload[at.Field].GetStringValue())
	if err != nil {
		return nil, 0, fmt.Errorf("%w: the sealed field is not base64", ErrCorrupt)
	}
	at.Version = uint64(payload[fieldVersion].GetIntegerValue())
	if plain, err = s.Open(sealed, at); err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return plain, at.Version, nil
}

// same compares the plain fields of a payload with what the seal holds.
func same(payload, want map[string]*qdrant.Value) error {
	for name, v := range want {
		if got, ok := payload[name]; !ok || !proto.Equal(got, v) {
			return fmt.Errorf("%w: the plain field %s differs from the sealed one", ErrCorrupt, name)
		}
	}
	return nil
}

// valid makes a text fit for a protobuf string, as encoding/json does.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}
