package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/qdrant/go-client/qdrant"

	"github.com/cloudops/cloudops/storage/seal"
)

// catalogue names what the directory holds. It is kept in two sealed files of
// equal content, so that damage to one of them costs nothing.
type catalogue struct {
	// Format is the version of everything in the directory; none is 1.
	Format      int               `json:"format"`
	Collections []entry           `json:"collections"`
	Aliases     map[string]string `json:"aliases"`
}

const catalogueFormat = 1

// entry is one collection.
type entry struct {
	Name string `json:"name"`
	// Dir is a random UUID; the collection's values are bound to it.
	Dir string `json:"dir"`
	// Config is the encoded CreateCollection.
	Config  []byte       `json:"config"`
	Indexes []fieldIndex `json:"indexes"`
}

// fieldIndex is a payload field with an index. Keywords and integers are kept
// in memory; nothing asks for the others, which are only told of.
type fieldIndex struct {
	Field string `json:"field"`
	// Type is the name of an indexKind.
	Type string `json:"type"`
}

type indexKind struct {
	name  string
	asked qdrant.FieldType
	told  qdrant.PayloadSchemaType
}

func indexKinds() []indexKind {
	return []indexKind{
		{"keyword", qdrant.FieldType_FieldTypeKeyword, qdrant.PayloadSchemaType_Keyword},
		{"integer", qdrant.FieldType_FieldTypeInteger, qdrant.PayloadSchemaType_Integer},
		{"float", qdrant.FieldType_FieldTypeFloat, qdrant.PayloadSchemaType_Float},
		{"bool", qdrant.FieldType_FieldTypeBool, qdrant.PayloadSchemaType_Bool},
		{"geo", qdrant.FieldType_FieldTypeGeo, qdrant.PayloadSchemaType_Geo},
		{"text", qdrant.FieldType_FieldTypeText, qdrant.PayloadSchemaType_Text},
	}
}

func catalogueFiles() [2]string { return [2]string{"catalogue", "catalogue.copy"} }

// loadCatalogue reads the catalogue of dir; a dir without any is empty. Of the
// two files one that is damaged or gone is made anew from the other, and is a
// problem only where that fails.
func loadCatalogue(dir string, keys *seal.Keys) (cat catalogue, problems []Problem, err error) {
	cat.Aliases = map[string]string{}
	var found []byte
	var errs []error
	var damaged []string
	absent := 0
	for _, name := range catalogueFiles() {
		f, err := sealedFile(dir, name, keys)
		if err != nil {
			return cat, nil, err
		}
		b, err := f.Load()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			absent++
		case err != nil:
			errs, damaged = append(errs, err), append(damaged, name)
		case found == nil:
			found = b
		}
	}
	switch {
	case found != nil:
		var written struct{ Format int }
		if err := json.Unmarshal(found, &written); err == nil && written.Format > catalogueFormat {
			return cat, nil, fmt.Errorf("the store in %s was written by a newer version of cloudops (format %d, this one knows %d): use that version or a later one; nothing was changed", dir, written.Format, catalogueFormat)
		}
		if err := json.Unmarshal(found, &cat); err != nil {
			return cat, nil, fmt.Errorf("%w: decoding the catalogue: %v", ErrCorrupt, err)
		}
		var mending error
		for _, name := range damaged {
			_, err := seal.SetAside(filepath.Join(dir, name))
			mending = errors.Join(mending, err)
		}
		if len(damaged)+absent > 0 && mending == nil {
			mending = cat.save(dir, keys)
		}
		if mending != nil {
			problems = append(problems, Problem{Message: "one of the two catalogue files is damaged or gone, and could not be made anew: " + mending.Error()})
		}
		return cat, problems, nil
	case absent == 0 && errors.Is(errs[0], seal.ErrUnauthenticated) && errors.Is(errs[1], seal.ErrUnauthenticated):
		// Damage would hardly hit both.
		return cat, nil, fmt.Errorf("%w: the store in %s was written with another key: restore the keyset file and key that belong to it, or move the folder away to begin anew", seal.ErrWrongKey, dir)
	case absent < 2:
		return cat, nil, fmt.Errorf("%w: the catalogue in %s is damaged; restore it from a backup, or move the folder away to begin anew: %w", ErrCorrupt, dir, errors.Join(errs...))
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return cat, nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	for _, e := range entries {
		if e.IsDir() {
			return cat, nil, fmt.Errorf("%w: %s holds collections, but the catalogue that names them is gone; restore it from a backup, or move the folder away to begin anew", ErrCorrupt, dir)
		}
	}
	return cat, nil, nil
}

// sealedFile names a sealed file in dir, which must lie in the home.
func sealedFile(dir, name string, keys *seal.Keys) (*seal.File, error) {
	rel, err := filepath.Rel(keys.Home(), filepath.Join(dir, name))
	if err != nil || !filepath.IsLocal(rel) {
		return nil, fmt.Errorf("the store %s must lie in the home %s", dir, keys.Home())
	}
	return keys.File(rel), nil
}

// save makes the catalogue durable.
func (c catalogue) save(dir string, keys *seal.Keys) error {
	c.Format = catalogueFormat
	b, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encoding the catalogue: %w", err)
	}
	for _, name := range catalogueFiles() {
		f, err := sealedFile(dir, name, keys)
		if err != nil {
			return err
		}
		if err := f.Save(b); err != nil {
			return fmt.Errorf("saving the catalogue: %w", err)
		}
	}
	return nil
}
