package session

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	services "github.com/cloudops/cloudops/scanner/aws"
)

func api(code, message string) error {
	return fmt.Errorf("operation error: %w", &smithy.GenericAPIError{Code: code, Message: message})
}

func TestErrorsAreExplainedWithoutSecrets(t *testing.T) {
	token := "IQoJb3JpZ2luX2VjEJr" + strings.Repeat("aB3/", 40) + "=="
	for name, c := range map[string]struct {
		err  error
		code string
		is   error
		says string
	}{
		"denied": {api("AccessDenied", "User: arn:aws:iam::123456789012:user/x is not authorized to perform: rds:DescribeDBClusters"), "denied", ErrDenied, "rds:DescribeDBClusters"},
		"denied, encoded": {api("UnauthorizedOperation", "You are not authorized to perform this operation. Encoded authorization failure message: "+token),
			"denied", ErrDenied, "You are not authorized to perform this operation"},
		"wrong signature": {api("SignatureDoesNotMatch", "The Canonical String should have been x-amz-security-token:"+token), "credentials", ErrNoCredentials, "SignatureDoesNotMatch"},
		"unknown key":     {api("InvalidClientTokenId", "AKIAIOSFODNN7EXAMPLE is unknown"), "credentials", ErrNoCredentials, ""},
		"expired":         {api("ExpiredToken", token), "credentials", ErrNoCredentials, "expired"},
		"clock":           {api("RequestTimeTooSkewed", ""), "credentials", ErrNoCredentials, "clock"},
		"throttled":       {api("RequestLimitExceeded", "Request limit exceeded."), "throttled", nil, ""},
		"slow down":       {api("SlowDown", ""), "throttled", nil, ""},
		"gone":            {api("InvalidInstanceID.NotFound", "The instance ID does not exist"), "failed", ErrGone, ""},
		"gone too":        {services.ErrGone, "failed", ErrGone, ""},
		"other":           {api("InvalidParameterValue", "bad\nvalue \x1b[31m AKIAIOSFODNN7EXAMPLE "+token), "failed", nil, "InvalidParameterValue: bad value"},
		"refused":         {&smithyhttp.RequestSendError{Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}, "unreachable", ErrUnreachable, "refused"},
		"no name":         {&smithyhttp.RequestSendError{Err: &net.DNSError{Name: "ec2.nowhere.amazonaws.com"}}, "unreachable", ErrUnreachable, "ec2.nowhere"},
		"certificate":     {&smithyhttp.RequestSendError{Err: x509.UnknownAuthorityError{}}, "unreachable", ErrUnreachable, "certificate"},
		"slow":            {fmt.Errorf("x: %w", context.DeadlineExceeded), "unreachable", ErrUnreachable, "in time"},
		"cut":             {fmt.Errorf("reading: %w", io.ErrUnexpectedEOF), "unreachable", ErrUnreachable, "cut"},
		"a missing file":  {&fs.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}, "failed", nil, ""},
	} {
		err := classify(c.err)
		p := Explain(c.err)
		if p.Code != c.code || p.Message == "" || !strings.Contains(p.Message, c.says) {
			t.Errorf("%s: explained as %+v", name, p)
		}
		for _, sentinel := range []error{ErrDenied, ErrNoCredentials, ErrUnreachable, ErrGone, ErrEndpoint, ErrUnknownProfile} {
			if errors.Is(err, sentinel) != (sentinel == c.is) {
				t.Errorf("%s: is %v: %v", name, sentinel, !(sentinel == c.is))
			}
		}
		for _, secret := range []string{token, token[20:80], "AKIAIOSFODNN7EXAMPLE", "\n", "\x1b"} {
			if strings.Contains(err.Error()+p.Message+p.Hint, secret) {
				t.Errorf("%s: %q shows %q", name, err, secret)
			}
		}
	}
	if err := classify(fmt.Errorf("x: %w", context.Canceled)); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
		t.Errorf("cancelled: %v", err)
	}
}

// A problem is one line: where, what, and what to do, as far as each is known.
func TestAProblemIsALine(t *testing.T) {
	for want, p := range map[string]Problem{
		"it failed": {Message: "it failed"},
		"prod 1 us-west-2 rds: it failed; try again": {Profile: "prod", AccountID: "1", Region: "us-west-2", Service: "rds", Message: "it failed", Hint: "try again"},
		"s3: it failed":            {Region: "global", Service: "s3", Message: "it failed"},
		"it failed; try again":     {Region: "global", Message: "it failed", Hint: "try again"},
		"us-west-2: ; only a hint": {Region: "us-west-2", Hint: "only a hint"},
	} {
		if got := p.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Foreign text becomes a short line, whole up to a bound and cut between letters.
func TestForeignTextBecomesAShortLine(t *testing.T) {
	words := strings.Repeat("ä b ", 74) // 296 letters
	for said, want := range map[string]string{
		"":                         "",
		" two\n\tlines. ":          "two lines",
		"a\u202eb\x00c":            "abc",
		words:                      strings.TrimSpace(words),
		words + "cdef":             words + "cdef",
		words + "cdefg":            words + "cdef…",
		strings.Repeat("a", 39):    strings.Repeat("a", 39),
		strings.Repeat("a", 40):    "…",
		"key AKIA12345678 is gone": "key … is gone",
		"AKIA1234567 is none":      "AKIA1234567 is none",
	} {
		if got := scrub(said); got != want {
			t.Errorf("%q becomes %q, want %q", said, got, want)
		}
	}
}
