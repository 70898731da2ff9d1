package lsp

import (
	"context"
	"slices"
	"time"

	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/index"
)

const (
	// patience is how long an answer waits for the daemon before it does without.
	patience = time.Second
	// maxRange is how far into a part of a document resources are looked for, in bytes.
	maxRange = 32 << 10
)

// snapshot is what an answer about a document is made of: one revision of it,
// the resources that the part in question mentions, and what the editor can show
// and allows. It never changes, so that no answer is of two revisions.
type snapshot struct {
	*document
	// start and end are the part in question, as offsets.
	start, end int
	// mentions are in the order of the text.
	mentions []mention
	can      client
	readOnly bool
}

// mention is a place that names resources: the longest token there that does.
type mention struct {
	index.Token
	*named
}

// about makes a feature answer from a snapshot of the part of a document that its
// params name. A place is answered at once where all that it may name is known,
// a longer part besides later messages. A document that is not open is empty, and
// so is each to a feature that is switched off. A daemon that can't say in time
// means no mentions.
func about[P any](f feature, part func(*P) area, answer func(*snapshot, *P) (any, error)) feature {
	f.serve = inOrder(func(s *server, p *P) (known any, rest work, err error) {
		a := part(p)
		x := s.snapshot(f.setting, a)
		if x.start == x.end {
			found, all := s.records.recall([][]index.Token{x.at(x.start)}, f.actions)
			if all {
				x.mentions = found
				known, err = answer(x, p)
				return known, nil, err
			}
		}
		return nil, func(ctx context.Context) (any, error) {
			x.mentions = s.mentioned(ctx, x.across(x.start, x.end, maxTokens), f.actions)
			return answer(x, p)
		}, nil
	})
	return f
}

// snapshot is taken in the order of the messages; the mentions are filled in by
// about.
func (s *server) snapshot(setting string, a area) *snapshot {
	d := s.documents.get(a.uri)
	if d == nil || s.settings.off(setting) {
		d = newDocument(a.uri, 0, "")
	}
	x := &snapshot{document: d, can: s.can(), readOnly: s.settings.readOnly()}
	x.start = d.offset(a.start, x.can.encoding)
	x.end = min(max(x.start, d.offset(a.end, x.can.encoding)), x.start+maxRange)
	return x
}

// mentioned asks the daemon for what is not known.
func (s *server) mentioned(ctx context.Context, places [][]index.Token, actions bool) []mention {
	var texts []string
	for _, tokens := range places {
		for _, t := range tokens {
			texts = append(texts, t.Text)
		}
	}
	slices.Sort(texts)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	known, err := s.records.lookup(ctx, slices.Compact(texts), actions)
	if err != nil {
		s.log.Debug("looking up what a document mentions", "error", err)
	}
	found, _ := mentions(places, func(token string) (*named, bool) { return known[token], true })
	return found
}

// mentions are what places mention, unless something of it is not known.
func mentions(places [][]index.Token, find func(token string) (*named, bool)) (found []mention, known bool) {
	for _, tokens := range places {
		for _, t := range tokens {
			n, ok := find(t.Text)
			if !ok {
				return nil, false
			}
			if n == nil {
				continue
			}
			// One token covers each of its words.
			if last := len(found) - 1; last < 0 || found[last].Token != t {
				found = append(found, mention{t, n})
			}
			break
		}
	}
	return found, true
}

// resource is one that a document mentions, with what may be done to it.
type resource struct {
	storage.Record
	daemon.Doable
}

// resources are the mentioned ones, each once and at most so many.
func (s *snapshot) resources(most int) []resource {
	var rs []resource
	seen := map[string]bool{}
	for _, m := range s.mentions {
		for _, r := range m.records {
			if key := r.Canonical(); !seen[key] && len(rs) < most {
				seen[key] = true
				rs = append(rs, resource{r, m.doable[key]})
			}
		}
	}
	return rs
}

// span is where a mention stands, as the editor counts.
func (s *snapshot) span(m mention) protocol.Range {
	return protocol.Range{Start: s.position(m.Start, s.can.encoding), End: s.position(m.End, s.can.encoding)}
}
