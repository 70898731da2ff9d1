package model

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/zstd"
)

//go:embed data
var data embed.FS

// ErrUnknown is that AWS has no such service, as far as the models know.
var ErrUnknown = errors.New("there is no such AWS service")

// room bounds what is kept of services, as bytes of their JSON; in memory it is
// about three times as much. ec2, the largest, has 1.5 MB.
const room = 6 << 20

// kept are the services that were loaded last, the latest first.
var kept struct {
	sync.Mutex
	services []*slot
}

// slot is a service that somebody is loading, or has.
type slot struct {
	name string
	size int
	load func() (*Service, error)
}

// Load gives the model of a service by botocore's name for it; FindService
// knows the others. It is loaded once, however many ask, and kept until others
// need the room.
func Load(name string) (*Service, error) {
	s, err := slotOf(name)
	if err != nil {
		return nil, err
	}
	return s.load()
}

func slotOf(name string) (*slot, error) {
	kept.Lock()
	defer kept.Unlock()
	at := slices.IndexFunc(kept.services, func(s *slot) bool { return s.name == name })
	if at >= 0 {
		s := kept.services[at]
		kept.services = slices.Insert(slices.Delete(kept.services, at, at+1), 0, s)
		return s, nil
	}
	packed, err := data.ReadFile("data/services/" + name + ".zst")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %q", ErrUnknown, name)
	} else if err != nil {
		return nil, fmt.Errorf("reading the model of %s: %w", name, err)
	}
	var head zstd.Header
	if err := head.Decode(packed); err != nil {
		return nil, fmt.Errorf("reading the model of %s: %w", name, err)
	}
	s := &slot{name: name, size: int(head.FrameContentSize), load: sync.OnceValues(func() (*Service, error) { return read(packed) })}
	kept.services = slices.Insert(kept.services, 0, s)
	// The one that is asked for stays, however large.
	sum := 0
	for i, s := range kept.services {
		if sum += s.size; sum > room && i > 0 {
			kept.services = slices.Delete(kept.services, i, len(kept.services))
			break
		}
	}
	return s, nil
}

// decoder is for one-shot use, which any number may make at once.
var decoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	dictionary, err := data.ReadFile("data/dictionary")
	if err != nil {
		return nil, err
	}
	return zstd.NewReader(nil, zstd.WithDecoderDicts(dictionary), zstd.WithDecoderConcurrency(0))
})

func unpack(packed []byte) ([]byte, error) {
	d, err := decoder()
	if err != nil {
		return nil, err
	}
	return d.DecodeAll(packed, nil)
}

func unpackFile(name string) ([]byte, error) {
	packed, err := data.ReadFile("data/" + name)
	if err != nil {
		return nil, err
	}
	return unpack(packed)
}

// Partitions is what botocore's partitions.json says, for the endpoint rules.
func Partitions() (jsontext.Value, error) {
	b, err := unpackFile("partitions.zst")
	if err != nil {
		return nil, fmt.Errorf("reading the partitions: %w", err)
	}
	return b, nil
}

var levels = map[string]Access{"?": Unknown, "L": List, "R": Read, "W": Write, "T": Tagging, "P": Permissions}

// read makes a service of its packed JSON. A reference to a shape is the shape's
// name there; who reads it first makes the shape, its definition fills it.
func read(packed []byte) (*Service, error) {
	b, err := unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("unpacking a model: %w", err)
	}
	var s Service
	shapes := map[string]*Shape{}
	resolve := json.UnmarshalFromFunc(func(d *jsontext.Decoder, p **Shape) error {
		if d.PeekKind() != '"' {
			return errors.ErrUnsupported
		}
		name, err := d.ReadValue()
		if err != nil {
			return err
		}
		name = name[1 : len(name)-1]
		shape := shapes[string(name)]
		if shape == nil {
			shape = &Shape{Name: string(name)}
			shapes[shape.Name] = shape
		}
		*p = shape
		return nil
	})
	// That no name stands twice is the generator's doing, and takes time to check.
	if err := json.Unmarshal(b, &s, json.WithUnmarshalers(resolve), jsontext.AllowDuplicateNames(true)); err != nil {
		return nil, fmt.Errorf("reading a model: %w", err)
	}
	for name, definition := range s.Shapes {
		if shape := shapes[name]; shape != nil {
			*shape = *definition
			s.Shapes[name] = shape
		}
		s.Shapes[name].Name = name
	}
	for name := range shapes {
		if s.Shapes[name] == nil {
			return nil, fmt.Errorf("reading the model of %s: it does not say what %s is", s.Name, name)
		}
	}
	s.Command = spelling(s.Name, s.Command)
	s.operations = make(map[string]*Operation, 2*len(s.Operations))
	for _, o := range s.Operations {
		o.CLI = spelling(o.Name, o.CLI)
		if o.Code == 0 {
			o.Code = 200
		}
		if o.IAM != nil {
			o.IAM.Access = levels[string(o.IAM.Access)]
		}
		if o.CLI != "" {
			s.operations[o.CLI] = o
		}
	}
	for _, o := range s.Operations {
		s.operations[o.Name] = o
	}
	return &s, nil
}
