package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/cloudops/cloudops/storage/endpoint"
)

// Moved is what a migration did to one collection.
type Moved struct {
	// Name is the collection's alias.
	Name string `json:"name"`
	// Points is how many there are, on both sides.
	Points int `json:"points"`
	// Copied is how many this run wrote; the rest was there from an earlier one.
	Copied int `json:"copied"`
	// SHA256 of all points in order of their ids, the same on both sides.
	SHA256 string `json:"sha256"`
}

// gate lets writes through, or keeps them out while the data moves.
type gate struct {
	mu sync.RWMutex
	// closed says why writes are kept out; "" while they are let through.
	closed string
}

func writes(method string) bool {
	switch method[strings.LastIndexByte(method, '/')+1:] {
	case "Upsert", "Delete", "UpdateVectors", "UpdateBatch":
		return true
	}
	return false
}

func (g *gate) intercept(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if !writes(method) {
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed != "" {
		return status.Error(codes.Aborted, g.closed) // which no link takes for its own
	}
	return invoke(ctx, method, req, reply, cc, opts...)
}

// close waits for writes under way and keeps others out; "" lets them in again.
func (g *gate) close(why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = why
}

// Migrate copies both collections to the Qdrant of another configuration, makes
// sure that all of it is there, and then switches: commit has to put that
// configuration into force. It writes to new collections there and takes up
// what an earlier run copied; what is here stays. Reading goes on meanwhile,
// writing waits: it fails with ErrUnavailable. After success the store takes no
// more writes and is to be closed. report, if not nil, is told how many points
// were looked at, of how many.
func (s *Service) Migrate(ctx context.Context, to Config, commit func() error, report func(done, total int), adjust ...func(*endpoint.Config)) ([]Moved, error) {
	moved, err := s.migrate(ctx, to, commit, report, adjust)
	if err != nil {
		s.gate.close("")
		return nil, fmt.Errorf("moving the data to mode %s: %w", to.withDefaults().Qdrant.Mode, err)
	}
	return moved, nil
}

func (s *Service) migrate(ctx context.Context, to Config, commit func() error, report func(done, total int), adjust []func(*endpoint.Config)) ([]Moved, error) {
	if err := to.Validate(); err != nil {
		return nil, err
	}
	to = to.withDefaults()
	to.DataPath = s.cfg.DataPath
	if to.Qdrant.Mode == s.cfg.Qdrant.Mode {
		return nil, fmt.Errorf("the data is in mode %s already", to.Qdrant.Mode)
	}
	reach, err := to.endpoint(s.Estate.keys)
	if err != nil {
		return nil, err
	}
	if to.Qdrant.StoragePath != "" && to.Qdrant.StoragePath == s.cfg.Qdrant.StoragePath && to.Qdrant.Mode != endpoint.Remote && s.cfg.Qdrant.Mode != endpoint.Remote {
		return nil, errors.New("qdrant.storage_path names one folder for both modes: leave it out")
	}
	for _, f := range adjust {
		f(&reach)
	}
	target, err := endpoint.Open(ctx, reach)
	if err != nil {
		return nil, err
	}
	defer target.Close()
	if st := target.State(); !st.Connected {
		return nil, errors.New(st.Problem)
	}
	s.gate.close("the data is being moved to mode " + to.Qdrant.Mode + "; try again when that is done")
	m := &migration{s: s, to: target.Client, report: report}
	for _, name := range []string{s.cfg.Collections.ChatHistory.Name, s.cfg.Collections.AWSEstate.Name} {
		n, err := s.endpoint.Client.Count(ctx, &qdrant.CountPoints{CollectionName: name, Exact: qdrant.PtrOf(true)})
		if err != nil {
			return nil, wrap("counting "+name, err)
		}
		m.total += 3 * int(n) // looked at to copy, and on both sides to compare
	}
	var moved []Moved
	var switches []*qdrant.AliasOperations
	here, there := s.cfg.Collections, to.Collections
	for _, pair := range [][2]CollectionConfig{{here.ChatHistory, there.ChatHistory}, {here.AWSEstate, there.AWSEstate}} {
		c := pair[1]
		done, real, err := m.collection(ctx, pair[0].Name, c)
		if err != nil {
			return nil, err
		}
		moved, switches = append(moved, done), append(switches, qdrant.NewAliasCreate(c.Name, real))
	}
	if err := target.Client.UpdateAliases(ctx, switches); err != nil {
		return nil, wrap("switching to the new collections", err)
	}
	// Until the configuration says so too, either mode has all data.
	if err := to.rememberMode(s.cfg.Qdrant.Mode + " " + to.Qdrant.Mode); err != nil {
		return nil, err
	}
	if err := commit(); err != nil {
		return nil, errors.Join(err, s.cfg.rememberMode(s.cfg.Qdrant.Mode))
	}
	return moved, to.rememberMode(to.Qdrant.Mode)
}

// migration is one run.
type migration struct {
	s           *Service
	to          *qdrant.Client
	report      func(done, total int)
	done, total int
}

func (m *migration) looked(n int) {
	if m.done += n; m.report != nil {
		m.report(min(m.done, m.total), m.total)
	}
}

// collection copies one, and returns the name of the copy.
func (m *migration) collection(ctx context.Context, from string, c CollectionConfig) (Moved, string, error) {
	real, err := m.staging(ctx, c)
	if err != nil {
		return Moved{}, "", err
	}
	if err := build(ctx, m.to, c, real); err != nil {
		return Moved{}, "", err
	}
	moved := Moved{Name: c.Name}
	if moved.Copied, err = m.copy(ctx, from, real); err != nil {
		return moved, "", err
	}
	var here, there string
	if here, moved.Points, err = m.sum(ctx, m.s.endpoint.Client, from); err != nil {
		return moved, "", err
	}
	var n int
	if there, n, err = m.sum(ctx, m.to, real); err != nil {
		return moved, "", err
	}
	if here != there || n != moved.Points {
		return moved, "", fmt.Errorf("%s: what arrived differs from what was sent (%d points of %d); nothing was switched, try again", c.Name, n, moved.Points)
	}
	moved.SHA256 = here
	return moved, real, nil
}

// staging is the collection to copy into: the one after that which the alias
// names now, so that what is there stays as it is. Foreign data is refused.
func (m *migration) staging(ctx context.Context, c CollectionConfig) (string, error) {
	aliases, err := m.to.ListAliases(ctx)
	if err != nil {
		return "", wrap("listing collections", err)
	}
	n := 0
	for _, a := range aliases {
		if a.GetAliasName() != c.Name {
			continue
		}
		real := a.GetCollectionName()
		suffix, ok := strings.CutPrefix(real, c.Name+"_")
		if n, err = strconv.Atoi(suffix); !ok || err != nil {
			return "", fmt.Errorf("%s names the collection %s there, which is not of cloudops: choose another name under collections", c.Name, real)
		}
		if err := m.ours(ctx, c, real); err != nil {
			return "", err
		}
	}
	return c.Name + "_" + strconv.Itoa(n+1), nil
}

// ours makes sure that a collection is not that of another home.
func (m *migration) ours(ctx context.Context, c CollectionConfig, real string) error {
	points, err := m.to.Scroll(ctx, &qdrant.ScrollPoints{
		CollectionName: real, Limit: qdrant.PtrOf(uint32(1)), WithPayload: qdrant.NewWithPayload(true),
	})
	if err != nil {
		return wrap("looking at "+real, err)
	}
	for _, p := range points {
		if !m.s.opens(p) {
			return fmt.Errorf("%s there holds the data of another home: choose other names under collections, or another server", c.Name)
		}
	}
	return nil
}

// opens says whether a point is sealed with keys of this home.
func (s *Service) opens(p *qdrant.RetrievedPoint) bool {
	if p.GetPayload()[estateField] != nil {
		_, _, err := openField(s.Estate.keys, p.GetPayload(), estatePlace(p.GetId().GetUuid(), 0))
		return err == nil
	}
	_, err := s.Estate.keys.Conversation(p.GetPayload()[fieldContext].GetStringValue())
	return err == nil
}

// copy makes the points there the same as here, and counts those that it wrote.
func (m *migration) copy(ctx context.Context, from, to string) (copied int, err error) {
	here, there := newPages(m.s.endpoint.Client, from), newPages(m.to, to)
	var write []*qdrant.PointStruct
	var stale []*qdrant.PointId
	flush := func() error {
		if len(write) > 0 {
			if err := upsert(ctx, m.to, to, write); err != nil {
				return wrap("writing to "+to, err)
			}
			copied += len(write)
			write = nil
		}
		if len(stale) > 0 {
			result, err := m.to.Delete(ctx, &qdrant.DeletePoints{CollectionName: to, Points: qdrant.NewPointsSelectorIDs(stale), Wait: qdrant.PtrOf(true)})
			if err := completed(result, err); err != nil {
				return wrap("removing what is no longer here from "+to, err)
			}
			stale = nil
		}
		return nil
	}
	a, err := here.next(ctx)
	if err != nil {
		return copied, err
	}
	b, err := there.next(ctx)
	for err == nil && (a != nil || b != nil) {
		switch order := compare(a, b); {
		case order > 0:
			stale = append(stale, b.GetId())
			b, err = there.next(ctx)
			continue
		case order < 0:
			write = append(write, again(a))
		case !bytes.Equal(digestOf(a), digestOf(b)):
			write = append(write, again(a))
			b, err = there.next(ctx)
		default:
			b, err = there.next(ctx)
		}
		m.looked(1)
		if err == nil {
			a, err = here.next(ctx)
		}
		if err == nil && len(write)+len(stale) >= pageSize {
			err = flush()
		}
	}
	if err != nil {
		return copied, err
	}
	return copied, flush()
}

// compare orders points by id; one that is not there comes last.
func compare(a, b *qdrant.RetrievedPoint) int {
	switch {
	case b == nil:
		return -1
	case a == nil:
		return 1
	}
	x, y := idOf(a), idOf(b)
	return bytes.Compare(x[:], y[:])
}

func idOf(p *qdrant.RetrievedPoint) uuid.UUID {
	id, _ := uuid.Parse(p.GetId().GetUuid()) // the nil one is no id of ours
	return id
}

// again is a point as it is to be written.
func again(p *qdrant.RetrievedPoint) *qdrant.PointStruct {
	point := newPoint(p.GetId().GetUuid(), p.GetPayload())
	if v := vectorOf(p); v != nil {
		point.Vectors = qdrant.NewVectorsDense(v)
	}
	return point
}

func vectorOf(p *qdrant.RetrievedPoint) []float32 {
	v := p.GetVectors().GetVector()
	if dense := v.GetDense().GetData(); dense != nil {
		return dense
	}
	//lint:ignore SA1019 servers up to 1.17 answer so
	return v.GetData()
}

// digestOf is the SHA-256 of a point: its id, payload and vector.
func digestOf(p *qdrant.RetrievedPoint) []byte {
	h := sha256.New()
	addPoint(h, p)
	return h.Sum(nil)
}

func addPoint(h hash.Hash, p *qdrant.RetrievedPoint) {
	id := idOf(p)
	h.Write(id[:])
	// What was received can be sent.
	payload, _ := proto.MarshalOptions{Deterministic: true}.Marshal(&qdrant.PointStruct{Payload: p.GetPayload()})
	var b []byte
	b = binary.BigEndian.AppendUint64(b, uint64(len(payload)))
	b = append(b, payload...)
	vector := vectorOf(p)
	b = binary.BigEndian.AppendUint64(b, uint64(len(vector)))
	for _, x := range vector {
		b = binary.BigEndian.AppendUint32(b, math.Float32bits(x))
	}
	h.Write(b)
}

// sum is the SHA-256 and the number of all points of a collection.
func (m *migration) sum(ctx context.Context, client *qdrant.Client, name string) (string, int, error) {
	h, n := sha256.New(), 0
	for pages := newPages(client, name); ; n++ {
		p, err := pages.next(ctx)
		if err != nil {
			return "", 0, err
		}
		if p == nil {
			return hex.EncodeToString(h.Sum(nil)), n, nil
		}
		addPoint(h, p)
		m.looked(1)
	}
}

// pages reads whole points in the order of their ids.
type pages struct {
	client  *qdrant.Client
	request *qdrant.ScrollPoints
	page    []*qdrant.RetrievedPoint
	ended   bool
}

func newPages(client *qdrant.Client, name string) *pages {
	return &pages{client: client, request: &qdrant.ScrollPoints{
		CollectionName: name, Limit: qdrant.PtrOf(uint32(pageSize)),
		WithPayload: qdrant.NewWithPayload(true), WithVectors: qdrant.NewWithVectors(true),
	}}
}

// next is the next point, nil at the end.
func (p *pages) next(ctx context.Context) (*qdrant.RetrievedPoint, error) {
	for len(p.page) == 0 {
		if p.ended {
			return nil, nil
		}
		page, next, err := p.client.ScrollAndOffset(ctx, p.request)
		if err != nil {
			return nil, wrap("reading "+p.request.CollectionName, err)
		}
		p.page, p.request.Offset, p.ended = page, next, next == nil
	}
	first := p.page[0]
	p.page = p.page[1:]
	return first, nil
}
