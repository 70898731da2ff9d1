package seal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
)

// format is the first byte of every sealed value and of all that is
// authenticated with one.
const format = 1

// What a use of a key is for; it keeps one use from standing in for another.
const (
	purposeValue        = 1
	purposeKeyset       = 2
	purposeConversation = 3
	purposePoint        = 4
	purposeDigest       = 5
)

// How the plain text inside a sealed value is packed.
const (
	packedRaw  = 0
	packedZstd = 1
)

// maxPlain is the largest value that is sealed, and that is unpacked.
const maxPlain = 64 << 20

// Place is where a value belongs; it is authenticated with the value.
type Place struct {
	// Collection is the logical name: aws_estate, chat_history, audit, file.
	Collection string
	// Point is the point id, record number or file name.
	Point string
	// Field is the payload field.
	Field string
	// Version counts the writes of the value.
	Version uint64
}

// Sealer seals values under one keyset. Safe for concurrent use.
type Sealer struct {
	storeID string
	aead    *ring
	packer  *packer
	// gone is set when the key was destroyed.
	gone atomic.Bool
}

// Seal compresses and encrypts a value for a place. Values over 64 MiB are
// refused; fs.ErrNotExist means that the key was destroyed.
func (s *Sealer) Seal(plain []byte, at Place) ([]byte, error) {
	return s.seal(plain, at, s.packer.pack)
}

func (s *Sealer) seal(plain []byte, at Place, pack func(into, plain []byte) []byte) ([]byte, error) {
	if s.gone.Load() {
		return nil, fmt.Errorf("sealing a value: its key was deleted: %w", fs.ErrNotExist)
	}
	if len(plain) > maxPlain {
		return nil, fmt.Errorf("sealing a value: %d bytes are more than the %d allowed", len(plain), maxPlain)
	}
	packed, _ := s.packer.spare.Get().(*[]byte)
	if packed == nil {
		packed = new([]byte)
	}
	*packed = pack((*packed)[:0], plain)
	ct, err := s.aead.Encrypt(*packed, s.additional(at))
	if cap(*packed) <= 1<<16 { // what a whole file was packed in is not kept
		s.packer.spare.Put(packed)
	}
	if err != nil {
		return nil, fmt.Errorf("sealing a value: %w", err)
	}
	return append([]byte{format}, ct...), nil
}

// Open is the inverse of Seal; anything else is ErrUnauthenticated.
func (s *Sealer) Open(sealed []byte, at Place) ([]byte, error) {
	if s.gone.Load() {
		return nil, fmt.Errorf("opening a sealed value: its key was deleted: %w", fs.ErrNotExist)
	}
	if len(sealed) == 0 || sealed[0] != format {
		return nil, fmt.Errorf("opening a sealed value: %w: not in a known format", ErrUnauthenticated)
	}
	packed, err := s.aead.Decrypt(sealed[1:], s.additional(at))
	if err != nil {
		return nil, fmt.Errorf("opening a sealed value: %w", ErrUnauthenticated)
	}
	plain, err := s.packer.unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("opening a sealed value: %w: %w", ErrUnauthenticated, err)
	}
	return plain, nil
}

// Current tells whether a value was sealed under the newest key, as it says
// itself.
func (s *Sealer) Current(sealed []byte) bool {
	return len(sealed) > 0 && sealed[0] == format && s.aead.current(sealed[1:])
}

// Renewing tells that earlier keys are kept, because values may be sealed under
// them.
func (s *Sealer) Renewing() bool { return s.aead.now.Load().handle.Len() > 1 }

func (s *Sealer) additional(at Place) []byte {
	b := additional(purposeValue, s.storeID, at.Collection, at.Point, at.Field)
	return binary.BigEndian.AppendUint64(b, at.Version)
}

// additional is the additional data of an encryption: format, purpose, and each
// text after its length, so that no two lists encode alike.
func additional(purpose byte, texts ...string) []byte {
	n := 2 + 8
	for _, t := range texts {
		n += 4 + len(t)
	}
	b := make([]byte, 0, n)
	b = append(b, format, purpose)
	for _, t := range texts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(t)))
		b = append(b, t...)
	}
	return b
}

// packer compresses. Safe for concurrent use.
type packer struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
	// spare holds buffers that values were packed in.
	spare sync.Pool
}

func newPacker() (*packer, error) {
	// The plain text is authenticated by the cipher, so zstd's own checksum
	// would only cost bytes.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(false), zstd.WithEncoderConcurrency(2),
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, fmt.Errorf("starting the compressor: %w", err)
	}
	dec, err := newDecoder()
	if err != nil {
		return nil, err
	}
	return &packer{enc: enc, dec: dec}, nil
}

func newDecoder() (*zstd.Decoder, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxPlain))
	if err != nil {
		return nil, fmt.Errorf("starting the decompressor: %w", err)
	}
	return dec, nil
}

func (p *packer) pack(into, plain []byte) []byte {
	out := append(slices.Grow(into, 1+len(plain)), packedZstd)
	if out = p.enc.EncodeAll(plain, out); len(out) <= len(plain) {
		return out
	}
	return packAsIs(out[:0], plain)
}

// packAsIs is what pack makes of a value that it cannot make smaller.
func packAsIs(into, plain []byte) []byte {
	return append(append(into, packedRaw), plain...)
}

func (p *packer) unpack(packed []byte) ([]byte, error) {
	if len(packed) == 0 {
		return nil, errors.New("nothing inside")
	}
	switch body := packed[1:]; packed[0] {
	case packedRaw:
		return body, nil
	case packedZstd:
		dec := p.dec
		if len(body) > 1<<16 { // a decoder holds on to its latest output
			own, err := newDecoder()
			if err != nil {
				return nil, err
			}
			defer own.Close()
			dec = own
		}
		plain, err := dec.DecodeAll(body, nil)
		if err != nil {
			return nil, fmt.Errorf("unpacking it: %w", err)
		}
		return plain, nil
	default:
		return nil, errors.New("packed in an unknown way")
	}
}
