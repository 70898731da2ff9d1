// Package aws reads resources from AWS, one file per service.
//
// Its entry points are Kinds (what each type of resource is), Collectors (how
// each type is listed and described), both listed in services.go, Identify and
// Regions.
//
// Invariants: a resource carries only the properties named in this package,
// never user data, environment values or whatever else an answer holds; a list
// goes page by page; errors are the SDK's own, wrapped.
package aws

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/kind"
)

// ErrGone: AWS says that the resource does not exist.
var ErrGone = errors.New("resource does not exist in AWS")

// Target is the part of AWS that a collector reads.
type Target struct {
	AccountID   string
	AccountName string
	Partition   string
	Region      string
}

// Sink takes what a list finds.
type Sink struct {
	// Emit takes one page; its error ends the list.
	Emit func(context.Context, []storage.Resource) error
	// Note takes a detail of some resource that the IAM action did not let, or
	// AWS did not make, readable. The resource is emitted without it; see
	// Collector.Keep.
	Note func(action string, err error)
}

// Collector reads the resources of one type.
type Collector struct {
	*kind.Kind
	// List emits every resource of the type in the target, or fails.
	List func(ctx context.Context, cfg aws.Config, t Target, s Sink) error
	// Describe reads one resource by its id, or fails with ErrGone.
	Describe func(ctx context.Context, cfg aws.Config, t Target, id string) (storage.Resource, error)
	// Live adds to the constraints of a described resource what no list tells; nil
	// where there is no such thing.
	Live func(ctx context.Context, cfg aws.Config, r storage.Resource)
	// Lacks says whether a detail of a resource could not be read, and Keep
	// fills in what is known of it from an earlier time. Both are nil where a
	// resource comes in one answer.
	Lacks func(r storage.Resource) bool
	Keep  func(r *storage.Resource, known storage.Resource, at time.Time)
}

// arn builds the ARN of a resource in the target.
func (t Target) arn(service, resource string) string {
	return strings.Join([]string{"arn", t.Partition, service, t.Region, t.AccountID, resource}, ":")
}

// resource begins a resource of the target.
func (t Target) resource(k *kind.Kind, id string) storage.Resource {
	return storage.Resource{
		Type:        k.Type,
		ID:          id,
		Service:     k.Service,
		AccountID:   t.AccountID,
		AccountName: t.AccountName,
		Region:      t.Region,
		Constraints: map[string]any{},
		Metadata:    map[string]any{},
		LastSynced:  time.Now().UTC(),
	}
}

// facts are properties that are set only when AWS gave them.
type facts map[string]any

func (f facts) text(name string, v *string) {
	if v != nil && *v != "" {
		f[name] = *v
	}
}

func (f facts) number(name string, v *int32) {
	if v != nil {
		f[name] = int64(*v)
	}
}

func (f facts) flag(name string, v *bool) {
	if v != nil {
		f[name] = *v
	}
}

func (f facts) list(name string, v []string) {
	if len(v) > 0 {
		f[name] = v
	}
}

// only is the resource that a call named by its id, of what the answer holds. It
// is for calls that AWS answers with an error where there is no such resource,
// so that an answer without it, or without its state, is a *FalseAnswer.
func only(found []storage.Resource, id string) (storage.Resource, error) {
	i := slices.IndexFunc(found, func(r storage.Resource) bool { return strings.EqualFold(r.ID, id) })
	switch {
	case len(found) == 0:
		return storage.Resource{}, NotAWS("one about nothing, where AWS says in an error that there is no such resource")
	case i < 0:
		return storage.Resource{}, NotAWS("one about another resource")
	case found[i].State == "":
		return storage.Resource{}, NotAWS("one without the resource's state")
	}
	return found[i], nil
}

// distinct drops empty and repeated texts and keeps the order.
func distinct(texts ...string) []string {
	seen := map[string]bool{"": true}
	kept := texts[:0]
	for _, s := range texts {
		if !seen[s] {
			seen[s] = true
			kept = append(kept, s)
		}
	}
	return kept
}

// summarise says in a line what a resource is, once all its facts are there.
func summarise(k *kind.Kind, r *storage.Resource) { r.Summary = k.Summary(r.Facts()) }

// moment is a time as it is stored: UTC, so that the same instant is the same value.
func moment(t *time.Time) *time.Time {
	if t == nil || t.IsZero() {
		return nil
	}
	u := t.UTC()
	return &u
}
