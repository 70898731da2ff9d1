package awstest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/cloudops/cloudops/scanner/awstest"
)

func TestLeaksFindsEveryForm(t *testing.T) {
	const word = "Pg-Instance-9"
	text := []byte("x " + word + " y")
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	w.Write(text)
	w.Close()
	zs, _ := zstd.NewWriter(nil)
	forms := map[string][]byte{
		"plain":    text,
		"upper":    bytes.ToUpper(text),
		"base64.0": []byte(base64.StdEncoding.EncodeToString([]byte(word))),
		"base64.1": []byte(base64.StdEncoding.EncodeToString([]byte("a" + word + "b"))),
		"base64.2": []byte(base64.URLEncoding.EncodeToString([]byte("ab" + word + "c"))),
		"hex":      []byte(hex.EncodeToString(text)),
		"utf16":    {'P', 0, 'g', 0, '-', 0, 'I', 0, 'n', 0, 's', 0, 't', 0, 'a', 0, 'n', 0, 'c', 0, 'e', 0, '-', 0, '9', 0},
		"gzip":     append([]byte("head"), gz.Bytes()...),
		"zstd":     append([]byte("head"), zs.EncodeAll(text, nil)...),
	}
	for name, content := range forms {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "f"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := awstest.Leaks(dir, []string{word})
		if err != nil || len(found) == 0 {
			t.Errorf("%s: found %v, %v", name, found, err)
		}
		if clean, err := awstest.Leaks(dir, []string{"pg-instance-8"}); err != nil || len(clean) > 0 {
			t.Errorf("%s: found what is not there: %v, %v", name, clean, err)
		}
	}
}
