package aws

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// ErrEndless: the pages of a list lead in a circle, or there is no end to them.
var ErrEndless = errors.New("the list does not end")

// mostPages bounds one list: ten million instances.
const mostPages = 10_000

// Pager is an SDK paginator; O is the service's options.
type Pager[R, O any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*O)) (R, error)
}

// Pages gives the pages of a list to each, at most most of them, and says
// whether pages were left unread. token is where a page says the next begins:
// one that was there before is ErrEndless, where the SDK would go round for
// ever, or take the list for whole.
func Pages[R, O any](ctx context.Context, p Pager[R, O], most int, token func(R) *string, each func(R) error) (more bool, err error) {
	seen := map[string]bool{}
	for n := 0; p.HasMorePages(); n++ {
		if n == most {
			return true, nil
		}
		page, err := p.NextPage(ctx)
		if err != nil {
			return false, err
		}
		if next := aws.ToString(token(page)); next != "" {
			if seen[next] {
				return false, fmt.Errorf("%w: its pages lead in a circle", ErrEndless)
			}
			seen[next] = true
		}
		if err := each(page); err != nil {
			return false, err
		}
	}
	return false, nil
}

// list gives all pages of a list to each; what names it in errors.
func list[R, O any](ctx context.Context, what string, p Pager[R, O], token func(R) *string, each func(R) error) error {
	more, err := Pages(ctx, p, mostPages, token, each)
	if err == nil && more {
		err = fmt.Errorf("%w: after %d pages there are more", ErrEndless, mostPages)
	}
	if err != nil {
		return fmt.Errorf("listing %s: %w", what, err)
	}
	return nil
}
