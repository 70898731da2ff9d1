package aws

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
)

// book is a paginator over the tokens that its pages name.
type book struct {
	tokens func(page int) string
	page   int
	done   bool
}

func (b *book) HasMorePages() bool { return !b.done }

func (b *book) NextPage(context.Context, ...func(*struct{})) (string, error) {
	b.page++
	next := b.tokens(b.page)
	b.done = next == ""
	return next, nil
}

func TestAListEndsWhereItsPagesSaySo(t *testing.T) {
	for name, c := range map[string]struct {
		tokens func(int) string
		pages  int
		says   string
	}{
		"one page":       {func(int) string { return "" }, 1, ""},
		"three pages":    {func(n int) string { return strings.Repeat("x", 3-n) }, 3, ""},
		"the same":       {func(int) string { return "a" }, 1, "circle"},
		"a circle":       {func(n int) string { return []string{"a", "b", "c"}[n%3] }, 3, "circle"},
		"back to a page": {func(n int) string { return []string{"", "a", "b", "b"}[n] }, 2, "circle"},
		"no end":         {strconv.Itoa, mostPages, "more"},
	} {
		read := 0
		err := list(t.Context(), "books", &book{tokens: c.tokens}, func(next string) *string { return &next }, func(string) error {
			read++
			return nil
		})
		if errors.Is(err, ErrEndless) != (c.says != "") || (err != nil && !strings.Contains(err.Error(), c.says)) || read != c.pages {
			t.Errorf("%s: %d pages, %v; want %d and %q", name, read, err, c.pages, c.says)
		}
	}
}
