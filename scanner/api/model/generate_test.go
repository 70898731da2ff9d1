package model

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// What is committed is what generate.py makes of the pinned versions.
func TestGenerated(t *testing.T) {
	if testing.Short() {
		t.Skip("reads all of botocore")
	}
	tools := filepath.Join("..", "..", "..", ".tools", "models")
	python, iam := filepath.Join(tools, "bin", "python"), filepath.Join(tools, "node_modules", "@cloud-copilot", "iam-data")
	for _, needed := range []string{python, iam} {
		if _, err := os.Stat(needed); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("what the models are made with is not installed: %v", err)
			}
			t.Skipf("not compared with botocore: install it with .ci/tools models: %v", err)
		}
	}
	out := filepath.Join(t.TempDir(), "data")
	if said, err := exec.CommandContext(t.Context(), python, "generate.py", iam, out).CombinedOutput(); err != nil {
		t.Fatalf("generating: %v\n%s", err, said)
	}
	files := 0
	for _, pair := range [][2]fs.FS{{os.DirFS("data"), os.DirFS(out)}, {os.DirFS(out), os.DirFS("data")}} {
		err := fs.WalkDir(pair[0], ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			files++
			have, err := fs.ReadFile(pair[0], path)
			if err != nil {
				return err
			}
			if other, err := fs.ReadFile(pair[1], path); err != nil || !bytes.Equal(have, other) {
				t.Errorf("data/%s is not what make models writes: %v", path, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 800 {
		t.Errorf("only %d files compared", files)
	}
}
