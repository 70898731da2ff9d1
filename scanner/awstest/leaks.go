package awstest

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"
)

// Leaks looks through every file under dir for the words: plain in any case,
// base64 at every offset, hex, UTF-16, and again in whatever decompresses. It
// returns a line for each find. A word must have at least 5 bytes.
func Leaks(dir string, words []string) ([]string, error) {
	var needles []needle
	for _, w := range words {
		if len(w) < 5 {
			return nil, fmt.Errorf("looking for leaks: %q is too short to tell from chance", w)
		}
		needles = append(needles, forms(w)...)
	}
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		look := func(what string, b []byte) {
			lower := bytes.ToLower(b)
			for _, n := range needles {
				if n.exact && bytes.Contains(b, n.bytes) || !n.exact && bytes.Contains(lower, n.bytes) {
					found = append(found, fmt.Sprintf("%s: %q as %s%s", name, n.word, n.form, what))
				}
			}
		}
		look(" in the path", []byte(name))
		if !d.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		look("", b)
		for _, inner := range decompressed(b) {
			look(", compressed", inner)
		}
		return nil
	})
	return found, err
}

type needle struct {
	word, form string
	bytes      []byte
	exact      bool
}

func forms(word string) []needle {
	lower := strings.ToLower(word)
	out := []needle{
		{word, "text", []byte(lower), false},
		{word, "hex", []byte(hex.EncodeToString([]byte(word))), false},
		{word, "UTF-16", utf16Bytes(lower, false), false},
		{word, "UTF-16", utf16Bytes(lower, true), false},
	}
	// In base64 a word begins at one of three offsets; the characters that its
	// neighbours share are left out.
	for pad := range 3 {
		enc := base64.RawStdEncoding.EncodeToString(append(make([]byte, pad), word...))
		from := (pad*8 + 5) / 6
		to := (pad + len(word)) * 8 / 6
		if core := enc[from:to]; len(core) >= 6 {
			out = append(out, needle{word, "base64", []byte(core), true},
				needle{word, "base64", []byte(strings.NewReplacer("+", "-", "/", "_").Replace(core)), true})
		}
	}
	return out
}

func utf16Bytes(s string, bigEndian bool) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		if bigEndian {
			out = append(out, byte(u>>8), byte(u))
		} else {
			out = append(out, byte(u), byte(u>>8))
		}
	}
	return out
}

// decompressed finds gzip, zlib and zstd streams anywhere in b, bounded.
func decompressed(b []byte) [][]byte {
	const most = 64 << 20
	var out [][]byte
	keep := func(r io.Reader) {
		if plain, _ := io.ReadAll(io.LimitReader(r, most)); len(plain) > 0 {
			out = append(out, plain)
		}
	}
	for i := 0; i+4 < len(b); i++ {
		rest := b[i:]
		switch {
		case bytes.HasPrefix(rest, []byte{0x1f, 0x8b, 8}):
			if r, err := gzip.NewReader(bytes.NewReader(rest)); err == nil {
				keep(r)
			}
		case bytes.HasPrefix(rest, []byte{0x28, 0xb5, 0x2f, 0xfd}):
			if r, err := zstd.NewReader(bytes.NewReader(rest), zstd.WithDecoderMaxMemory(most), zstd.WithDecoderConcurrency(1)); err == nil {
				keep(r)
				r.Close()
			}
		case rest[0] == 0x78 && (rest[1] == 0x01 || rest[1] == 0x9c || rest[1] == 0xda):
			if r, err := zlib.NewReader(bytes.NewReader(rest)); err == nil {
				keep(r)
			}
		}
	}
	keep(flate.NewReader(bytes.NewReader(b)))
	return out
}
