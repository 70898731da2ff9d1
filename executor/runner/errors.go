package runner

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptrace"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/scanner/session"
)

// Kind is what an error says about the call. What AWS's codes mean is the
// session's to say: of its words for them three are kinds.
type Kind string

// The kinds. After all but Ambiguous AWS has done nothing.
const (
	// Denied: the caller's policies do not allow it.
	Denied Kind = "denied"
	// Credentials: AWS does not accept who calls, or the keys expired.
	Credentials Kind = "credentials"
	// Throttled: too many calls.
	Throttled Kind = "throttled"
	// Refused: AWS says that it cannot be done.
	Refused Kind = "refused"
	// Unsent: the call did not leave this machine.
	Unsent Kind = "unsent"
	// Ambiguous: it was sent and no clear answer came, so AWS may have acted.
	Ambiguous Kind = "ambiguous"
)

// Error is why a call gave no result.
type Error struct {
	Kind Kind
	// Code and Message are AWS's, "" when it gave none. Message is foreign text.
	Code, Message string
	cause         error
}

func (e *Error) Error() string {
	if e.Code == "" {
		return "calling AWS: " + e.Message
	}
	return "calling AWS: " + e.Code + ": " + e.Message
}

func (e *Error) Unwrap() error { return e.cause }

// traceSent notes whether a connection was handed to the request.
func traceSent(ctx context.Context) (context.Context, *atomic.Bool) {
	sent := new(atomic.Bool)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	}), sent
}

// encoded is a blob that EC2 appends, which only IAM can decode.
var encoded = regexp.MustCompile(`\s*Encoded authorization failure message: \S+`)

// unnamed is the SDK's code for an answer that it can't read.
const unnamed = "UnknownError"

func classify(err error, sent bool) *Error {
	e := &Error{Kind: Ambiguous, cause: err}
	status := 0
	if re := (*smithyhttp.ResponseError)(nil); errors.As(err, &re) && re.Response != nil {
		status = re.HTTPStatusCode()
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		e.Code, e.Message = api.ErrorCode(), clean(api.ErrorMessage())
	}
	if e.Code == unnamed {
		e.Code, e.Message = "", fmt.Sprintf("the answer was HTTP %d without a reason", status)
	}
	kind := Kind(session.Explain(err).Code)
	answer, foreign := errors.AsType[*services.FalseAnswer](err)
	switch {
	case !sent || errors.Is(err, errNotImplemented):
		e.Kind = Unsent
	case foreign:
		// Whatever its status, nobody knows what AWS has seen of the call.
		e.Code, e.Message = "", answer.Error()
	case kind == Denied || kind == Credentials || kind == Throttled:
		e.Kind = kind // AWS has done nothing, whatever the status of its answer
	case status >= 300 && status < 500:
		e.Kind = Refused
	}
	if e.Message == "" {
		e.Message = clean(last(err))
	}
	return e
}

// last is the innermost message: the outer ones name request ids and hosts.
func last(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// clean bounds AWS's text and takes out what says nothing to people.
func clean(s string) string {
	s = strings.ToValidUTF8(encoded.ReplaceAllString(s, ""), "")
	const most = 500
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return s
}
