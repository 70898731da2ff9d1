package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
)

// A data file that is removed, replaced or cut off under a running engine is
// told of at once, and no write is taken that would not last. One that was removed
// is written back at the end, so that nothing is lost.
func TestADataFileIsLostWhileItIsOpen(t *testing.T) {
	for name, c := range map[string]struct {
		lose func(file string) error
		told string
		back bool
	}{
		"the file is removed":         {os.Remove, "removed", true},
		"its folder is removed":       {func(file string) error { return os.RemoveAll(filepath.Dir(file)) }, "removed", true},
		"the whole folder is removed": {func(file string) error { return os.RemoveAll(filepath.Dir(filepath.Dir(file))) }, "removed", true},
		"another has its place": {func(file string) error {
			return errors.Join(os.Rename(file, file+".old"), os.WriteFile(file, nil, 0o600))
		}, "another file", false},
		"it is cut off": {func(file string) error { return os.Truncate(file, 4096) }, "cut off", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			f.fill()
			if p := f.eng.Problems(); len(p) > 0 {
				t.Fatalf("before: %v", p)
			}
			files, err := filepath.Glob(filepath.Join(f.dir, "*", "data.db"))
			if err != nil || len(files) != 1 {
				t.Fatal(files, err)
			}
			if err := c.lose(files[0]); err != nil {
				t.Fatal(err)
			}
			if p := f.eng.Problems(); len(p) != 1 || !strings.Contains(p[0].Message, c.told) || p[0].Mend == "" {
				t.Errorf("it tells of %+v", p)
			}
			if err := f.upsert(2, map[string]any{"kind": "new"}); err == nil || !strings.Contains(err.Error(), c.told) {
				t.Errorf("a write: %v, want it refused", err)
			}
			if !c.back {
				return
			}
			f.restart()
			if p := f.eng.Problems(); len(p) > 0 {
				t.Errorf("afterwards: %v", p)
			}
			if got, _, err := f.scroll(&qdrant.ScrollPoints{}); err != nil || len(got) != 9 {
				t.Errorf("afterwards it has %v, %v; want all 9", got, err)
			}
			if err := f.upsert(2, map[string]any{"kind": "new"}); err != nil {
				t.Errorf("a write afterwards: %v", err)
			}
		})
	}
}
