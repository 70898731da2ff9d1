package lsp

import (
	"cmp"
	"context"
	"slices"
	"time"

	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/index"
)

// patience is how long an answer waits for the daemon before it does without.
const patience = time.Second

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
		x := s.snapshot(f.setting, part(p))
		if x.start < x.end {
			return nil, func(ctx context.Context) (any, error) {
				x.mentions = s.mentioned(ctx, x.document, x.start, x.end, f.actions)
				return answer(x, p)
			}, nil
		}
		tokens := x.at(x.start)
		if m, all := s.records.recall(tokens, f.actions); all {
			x.mentions = m
			known, err = answer(x, p)
			return known, nil, err
		}
		return nil, func(ctx context.Context) (any, error) {
			texts := make([]string, len(tokens))
			for i, t := range tokens {
				texts[i] = t.Text
			}
			names := s.names(ctx, texts, f.actions)
			x.mentions, _ = longest(tokens, func(token string) (*named, bool) { return names[token], true })
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
	x.end = max(x.start, d.offset(a.end, x.can.encoding))
	return x
}

// names asks the daemon for what is not known of tokens.
func (s *server) names(ctx context.Context, tokens []string, actions bool) map[string]*named {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	names, err := s.records.lookup(ctx, tokens, actions)
	if err != nil {
		s.log.Debug("looking up what a document mentions", "error", err)
	}
	return names
}

// longest is the mention at a place: by the first of its tokens, which are the
// longest first, that names any resource. known is false where that takes asking.
func longest(tokens []index.Token, find func(token string) (*named, bool)) (found []mention, known bool) {
	for _, t := range tokens {
		n, ok := find(t.Text)
		if !ok {
			return nil, false
		}
		if n != nil {
			return []mention{{t, n}}, true
		}
	}
	return nil, true
}

// mentioned finds what a part of a document mentions: each token there that names
// resources and is not within a longer one that does. Of very many tokens the
// first are looked up.
func (s *server) mentioned(ctx context.Context, d *document, start, end int, actions bool) []mention {
	var texts []string
	seen := map[string]bool{}
	d.within(start, end, func(t index.Token) bool {
		if !seen[t.Text] {
			seen[t.Text] = true
			texts = append(texts, t.Text)
		}
		return len(texts) < maxTokens
	})
	names := s.names(ctx, texts, actions)
	var all []mention
	d.within(start, end, func(t index.Token) bool {
		if n := names[t.Text]; n != nil {
			all = append(all, mention{t, n})
		}
		return true
	})
	slices.SortFunc(all, func(a, b mention) int { return cmp.Or(a.Start-b.Start, b.End-a.End) })
	found := all[:0]
	for _, m := range all {
		if n := len(found); n == 0 || m.End > found[n-1].End {
			found = append(found, m)
		}
	}
	return found
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
