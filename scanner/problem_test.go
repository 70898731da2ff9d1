package scanner

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
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage"
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

func TestTheSameProblemIsSaidOnce(t *testing.T) {
	var ps problems
	for _, region := range []string{"us-east-1", "us-west-1", "us-west-2", "eu-west-1", "eu-west-3"} {
		for _, service := range []string{"ec2", "rds"} {
			ps.add(Problem{AccountID: "1", Region: region, Service: service, Code: codeDenied, Message: "denied in " + region, Hint: "allow " + service})
			ps.add(Problem{AccountID: "1", Region: region, Service: service, Code: codeUnreachable, Message: "away"})
		}
	}
	ps.add(Problem{AccountID: "2", Region: "us-east-1", Service: "ec2", Code: codeUnreachable, Message: "away"})
	ps.add(Problem{AccountID: "2", Region: "global", Service: "s3", Code: codeUnreachable, Message: "away"})
	ps.add(Problem{AccountID: "2", Service: "ec2", Code: codeUnreachable, Message: "away", about: "regions unknown"})
	got := []string{}
	for _, p := range ps.list() {
		got = append(got, strings.Join([]string{p.AccountID, p.Service, p.Code, p.Region, p.Message}, "|"))
	}
	want := "1|ec2|denied||denied in us-east-1 (in 5 regions), 1||unreachable||away (in 5 regions), 1|rds|denied||denied in us-east-1 (in 5 regions), 2||unreachable|us-east-1|away, 2|ec2|unreachable||regions unknown: away"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

func TestGapsSayWhatIsUnknown(t *testing.T) {
	l := bare().ledger
	if got := l.gaps(whereOf(filterOf(Shard{})), Config{}); len(got) != 1 {
		t.Errorf("an empty ledger: %q", got)
	}
	l.accounts["1"] = &account{ID: "1", Name: "prod", RegionsKnown: true}
	for _, region := range []string{"a-a-1", "a-a-2", "a-a-3", "a-a-4", "a-a-5"} {
		l.expect([]Shard{{"1", region, "ec2_instance"}, {"1", region, "rds_instance"}})
	}
	l.incomplete(Shard{"1", "a-a-1", "ec2_instance"}, time.Now(), stateDenied, "x")
	l.expect([]Shard{{"1", "global", "s3_bucket"}})
	want := "ec2_instance in a-a-1 of prod (1): denied by AWS; rds_instance in a-a-1 and " +
		"ec2_instance, rds_instance in a-a-2, a-a-3, a-a-4, a-a-5 and s3_bucket of prod (1): never scanned"
	if got := strings.Join(l.gaps(whereOf(filterOf(Shard{})), Config{}), "; "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := l.gaps(whereOf(filterOf(Shard{Type: "s3_bucket", Region: "eu-west-1"})), Config{}); len(got) != 1 {
		t.Errorf("buckets of a region: %q", got)
	}
	if got := l.gaps(whereOf(filterOf(Shard{Type: "lambda_function"})), Config{}); len(got) != 1 || got[0] != "lambda_function: this version does not read it" {
		t.Errorf("a type that no collector reads: %q", got)
	}
	// A region that AWS did not tell of may hold anything but buckets.
	l.accounts["1"].RegionsKnown = false
	l.accounts["2"] = &account{ID: "2", Name: "met"}
	for _, s := range l.list() {
		l.complete(s.Shard, time.Now(), 0)
	}
	for _, c := range []struct {
		f    Shard
		want string
	}{
		{Shard{}, "other regions of prod (1): AWS did not tell which there are; met (2): never scanned"},
		{Shard{AccountID: "1", Region: "a-a-2"}, ""},
		{Shard{AccountID: "1", Region: "a-a-9"}, "other regions of prod (1): AWS did not tell which there are"},
		{Shard{AccountID: "1", Type: "s3_bucket"}, ""},
	} {
		if got := strings.Join(l.gaps(whereOf(filterOf(c.f)), Config{}), "; "); got != c.want {
			t.Errorf("%+v:\n got %s\nwant %s", c.f, got, c.want)
		}
	}
	// What was listed whole is not there any more as it was stored.
	lost := []storage.Shard{{AccountID: "1", Region: "a-a-2", Type: "ec2_instance"}, {AccountID: "1", Region: "a-a-3", Type: "s3_bucket"}}
	want = "ec2_instance in a-a-2 and s3_bucket of prod (1): what was stored is not whole, scan again"
	if got := strings.Join(l.gaps(whereOf(filterOf(Shard{AccountID: "1", Region: "a-a-2"})), Config{}, lost...), "; "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
