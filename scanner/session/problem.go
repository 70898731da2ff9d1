package session

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"unicode"
)

// The codes of a Problem.
const (
	CodeDenied      = "denied"
	CodeCredentials = "credentials"
	CodeUnreachable = "unreachable"
	CodeThrottled   = "throttled"
	CodeEndpoint    = "endpoint"
	CodeProfile     = "profile"
	CodeFailed      = "failed"
)

// Problem is what did not work, in words, and where.
type Problem struct {
	Profile   string `json:"profile,omitempty"`
	AccountID string `json:"account_id,omitempty"`
	Region    string `json:"region,omitempty"`
	Service   string `json:"service,omitempty"`
	// Code is denied, credentials, unreachable, throttled, endpoint, profile or failed.
	Code    string `json:"code"`
	Message string `json:"message"`
	// Hint says what the user can do.
	Hint string `json:"hint,omitempty"`
}

// String says in a line what did not work, where, and what to do.
func (p Problem) String() string {
	var where []string
	for _, s := range [...]string{p.Profile, p.AccountID, p.Region, p.Service} {
		if s != "" && s != "global" {
			where = append(where, s)
		}
	}
	s := p.Message
	if len(where) > 0 {
		s = strings.Join(where, " ") + ": " + s
	}
	if p.Hint != "" {
		s += "; " + p.Hint
	}
	return s
}

// failure is an error in words, with what to do about it.
type failure struct {
	because       *cause // nil for what has no row in causes
	kind          error  // the sentinel; nil for "failed" and "throttled"
	code          string
	message, hint string
	cause         error
}

// Explained is an error in words: what happened and what to do. kind is one of
// this package's errors; nil for failed and throttled.
func Explained(kind error, code, message, hint string, cause error) error {
	return &failure{kind: kind, code: code, message: message, hint: hint, cause: cause}
}

// Error leaves the cause out: the SDK's texts may hold signatures and tokens.
func (f *failure) Error() string {
	s := f.message
	if f.kind != nil {
		s = f.kind.Error() + ": " + s
	}
	if f.hint != "" {
		s += "; " + f.hint
	}
	return s
}

func (f *failure) Unwrap() []error {
	var all []error
	for _, err := range []error{f.kind, f.cause} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// Explain says in words what an error of this package or of the AWS SDK means
// and what to do. The words hold no secret. Profile, account, region and
// service are left for the caller to fill.
func Explain(err error) Problem {
	var f *failure
	if !errors.As(classify(err), &f) {
		return Problem{Code: CodeFailed, Message: scrub(err.Error())}
	}
	return Problem{Code: f.code, Message: f.message, Hint: f.hint}
}

// classify turns an error of the SDK into a failure; a failure, nil and the
// end of a context pass as they are.
func classify(err error) error {
	var f *failure
	if err == nil || errors.As(err, &f) || errors.Is(err, context.Canceled) {
		return err
	}
	s := look(err)
	if c := causeOf(s); c != nil {
		return c.explain(s)
	}
	return Explained(nil, CodeFailed, scrub(err.Error()), "", err)
}

var (
	// secretish matches what could be a token, signature, key or encoded message.
	secretish = regexp.MustCompile(`[A-Za-z0-9+/=_-]{40,}`)
	keyID     = regexp.MustCompile(`\b(AKIA|ASIA)[A-Z0-9]{8,}\b`)
)

// scrub makes one short line of a foreign text, without what looks secret.
func scrub(s string) string {
	s, _, _ = strings.Cut(s, "Encoded authorization failure message")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
	s = keyID.ReplaceAllString(secretish.ReplaceAllString(s, "…"), "…")
	s = strings.TrimRight(strings.Join(strings.Fields(s), " "), ". ")
	if r := []rune(s); len(r) > 300 {
		s = string(r[:300]) + "…"
	}
	return s
}
