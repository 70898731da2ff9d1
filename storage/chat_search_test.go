package storage

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSearchOverAllConversations(t *testing.T) {
	ctx := t.Context()
	h := newHome(t)
	s := h.open(t)
	stop := talk(t, s, "Stop pg-instance-main1", "Shall I stop **pg-instance-main1**?", "yes, the Café database")
	list := talk(t, s, "which instances are running in us-west-2?", "i-0abc123 and i-0def456")
	zürich := talk(t, s, "Wie heißt der Server in ZÜRICH?", "Ελλάδα 東京都のサーバー")
	if _, err := s.Chat.UpdateContext(ctx, list, ContextUpdate{AddLabels: []string{"On-call"}}); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string][]string{
		"PG-INSTANCE":    {stop},
		"main1":          {stop},
		"instance":       {list, stop},
		"instance stop":  {stop},
		"stop yes":       {stop}, // in different messages
		"cafe":           {stop},
		"CAFÉ":           {stop},
		"cafe\u0301":     {stop},
		"stance":         {}, // inside a word
		"zurich":         {zürich},
		"ελλαδα":         {zürich},
		"京都":             {zürich},
		"i-0def":         {list},
		"on-call":        {list},
		"call us-west-2": {list},
		"walrus":         {},
		"yes walrus":     {},
		"(.*)":           {},
	} {
		found, total, err := s.Chat.SearchConversations(ctx, query, 0)
		if err != nil {
			t.Errorf("%q: %v", query, err)
		}
		ids := []string{}
		for _, f := range found {
			ids = append(ids, f.ID)
		}
		if !slices.Equal(ids, want) || total != len(want) {
			t.Errorf("%q finds %d: %v, want %v", query, total, ids, want)
		}
	}
	found, _, err := s.Chat.SearchConversations(ctx, "pg-instance stop", 0)
	if err != nil || len(found) != 1 || found[0].Snippet != "Shall I stop **pg-instance-main1**?" || found[0].MessageIndex != 1 ||
		found[0].Role != RoleAssistant || found[0].Timestamp.IsZero() || found[0].Title != "Stop pg-instance-main1" {
		t.Errorf("found %+v, %v; want the newest message that has both words", found, err)
	}
	if found, _, err = s.Chat.SearchConversations(ctx, "oncall", 0); err != nil || len(found) != 0 {
		t.Errorf("found %+v, %v", found, err)
	}
	if found, _, err = s.Chat.SearchConversations(ctx, "on-call", 0); err != nil || len(found) != 1 || found[0].Snippet != "On-call" || found[0].MessageIndex != -1 || found[0].Role != "" {
		t.Errorf("found %+v, %v; want it by its label", found, err)
	}
	for _, limit := range []int{1, -1} {
		found, total, err := s.Chat.SearchConversations(ctx, "instance", limit)
		if err != nil || total != 2 || len(found) != map[int]int{1: 1, -1: 2}[limit] || found[0].ID != list {
			t.Errorf("limit %d: %d of %d, %v", limit, len(found), total, err)
		}
	}
	for _, query := range []string{"", " \n\t", "\u0301"} {
		if _, _, err := s.Chat.SearchConversations(ctx, query, 0); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v, want ErrInvalid", query, err)
		}
	}
	if _, _, err := s.Chat.SearchConversations(ctx, strings.Repeat("instance ", 1000), 0); err != nil {
		t.Error(err)
	}
}

func TestSnippetsShowTheHitOnOneLine(t *testing.T) {
	s := newHome(t).open(t)
	long := strings.Repeat("lorem ipsum\n\t", 50)
	talk(t, s, long+"the WÁLRUS\x1b[31m is here"+long)
	found, _, err := s.Chat.SearchConversations(t.Context(), "walrus", 0)
	if err != nil || len(found) != 1 {
		t.Fatalf("%+v, %v", found, err)
	}
	got := found[0].Snippet
	if !strings.HasPrefix(got, "…") || !strings.HasSuffix(got, "…") || !strings.Contains(got, " ipsum the WÁLRUS [31m is here") ||
		strings.ContainsAny(got, "\n\t\x1b") || utf8.RuneCountInString(got) > 150 {
		t.Errorf("the snippet is %q", got)
	}
}

func FuzzSearchText(f *testing.F) {
	f.Add("Stop pg-instance-main1", "pg")
	f.Add("Ελλάδα 東京都 ﬁne İstanbul \xff\xfe", "fi")
	f.Add("e\u0301\u0301\u0301", "e")
	f.Fuzz(func(t *testing.T, text, query string) {
		for _, w := range queryWords(query) {
			at := fold(text).find(w)
			if at < 0 {
				continue
			}
			if at >= len(text) {
				t.Fatalf("%q is found in %q at %d", w, text, at)
			}
			if got := snippet(text, at); strings.ContainsAny(got, "\n\r\x1b") || utf8.RuneCountInString(got) > snippetBefore+snippetAfter+3 {
				t.Fatalf("the snippet is %q", got)
			}
		}
		if w := queryWords(text); len(w) > 0 && fold(text).find(w[0]) < 0 {
			t.Fatalf("%q does not have its own first word %q", text, w[0])
		}
	})
}
