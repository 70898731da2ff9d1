package session

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	services "github.com/cloudops/cloudops/scanner/aws"
)

// answered is an error as the SDK makes it of AWS's answer; ahead is how far
// this machine's clock is ahead of the answer's.
func answered(service, operation string, status int, code, said string, ahead time.Duration) error {
	return &smithy.OperationError{ServiceID: service, OperationName: operation, Err: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status, Header: http.Header{
			"Date": {time.Now().Add(-ahead).UTC().Format(http.TimeFormat)},
		}}},
		Err: &smithy.GenericAPIError{Code: code, Message: said},
	}}
}

// unanswered is an error as the SDK makes it of a call that found nobody.
func unanswered(err error) error {
	return &smithy.OperationError{ServiceID: "EC2", OperationName: "DescribeInstances", Err: &smithyhttp.RequestSendError{Err: err}}
}

// What went wrong is told apart: no two causes share a sentence with its
// advice, whatever service says it in whatever words.
func TestEachCauseHasItsOwnSentence(t *testing.T) {
	dial := func(err error) error { return unanswered(&net.OpError{Op: "dial", Err: err}) }
	hour := time.Hour
	for name, c := range map[string]struct {
		code  string
		is    error
		says  []string // of the message or the hint
		again aws.Ternary
		errs  []error
	}{
		"expired": {"credentials", ErrNoCredentials, []string{"have expired", "renew"}, aws.UnknownTernary, []error{
			answered("EC2", "DescribeInstances", 400, "RequestExpired", "Request has expired.", 0),
			answered("STS", "GetCallerIdentity", 403, "ExpiredToken", "The security token included in the request is expired", 0),
			answered("STS", "AssumeRole", 403, "ExpiredTokenException", "", 0),
		}},
		"login over": {"credentials", ErrNoCredentials, []string{"login", "log in again"}, aws.UnknownTernary, []error{
			answered("SSO", "GetRoleCredentials", 401, "UnauthorizedException", "Session token not found or invalid", 0),
			answered("SSO OIDC", "CreateToken", 400, "InvalidGrantException", "", 0),
			answered("SSO OIDC", "CreateToken", 401, "ExpiredTokenException", "", 0),
		}},
		"not assigned": {"credentials", ErrNoCredentials, []string{"identity provider does not give", "whoever assigns"}, aws.UnknownTernary, []error{
			answered("SSO", "GetRoleCredentials", 403, "ForbiddenException", "No access", 0),
			answered("SSO OIDC", "CreateToken", 400, "AccessDeniedException", "", 0),
			answered("SSO OIDC", "CreateToken", 400, "UnauthorizedClientException", "", 0),
		}},
		"web token expired": {"credentials", ErrNoCredentials, []string{"token of the identity provider has expired"}, aws.UnknownTernary, []error{
			answered("STS", "AssumeRoleWithWebIdentity", 400, "ExpiredTokenException", "Token expired", 0),
		}},
		"web token refused": {"credentials", ErrNoCredentials, []string{"does not accept the token of the identity provider", "audience"}, aws.UnknownTernary, []error{
			answered("STS", "AssumeRoleWithWebIdentity", 400, "InvalidIdentityToken", "No OpenIDConnect provider found", 0),
			answered("STS", "AssumeRoleWithWebIdentity", 403, "IDPRejectedClaim", "", 0),
		}},
		"clock": {"credentials", ErrNoCredentials, []string{"clock", "set the clock"}, aws.UnknownTernary, []error{
			answered("S3", "ListBuckets", 403, "RequestTimeTooSkewed", "", hour),
			answered("EC2", "DescribeInstances", 401, "AuthFailure", "AWS was not able to validate the provided access credentials", hour),
			answered("EC2", "DescribeInstances", 400, "RequestExpired", "Request has expired.", -hour),
			answered("STS", "GetCallerIdentity", 403, "SignatureDoesNotMatch", "Signature expired: 20261201T000000Z is now earlier than 20261201T000500Z", 0),
			answered("RDS", "DescribeDBInstances", 403, "InvalidSignatureException", "Signature not yet current", 0),
		}},
		"unknown keys": {"credentials", ErrNoCredentials, []string{"does not know the access key", "check the keys", "partition"}, aws.UnknownTernary, []error{
			answered("STS", "GetCallerIdentity", 403, "InvalidClientTokenId", "The security token included in the request is invalid", 0),
			answered("EC2", "DescribeInstances", 401, "AuthFailure", "", 0),
			answered("S3", "ListBuckets", 403, "InvalidAccessKeyId", "", 0),
			answered("DynamoDB", "ListTables", 400, "UnrecognizedClientException", "", 0),
		}},
		"wrong secret": {"credentials", ErrNoCredentials, []string{"secret key does not belong", "both keys"}, aws.UnknownTernary, []error{
			answered("STS", "GetCallerIdentity", 403, "SignatureDoesNotMatch", "The request signature we calculated does not match", 0),
			answered("S3", "ListBuckets", 403, "SignatureDoesNotMatch", "", 0),
		}},
		"session token": {"credentials", ErrNoCredentials, []string{"session token"}, aws.UnknownTernary, []error{answered("S3", "ListBuckets", 400, "InvalidToken", "", 0)}},
		"unsigned": {"credentials", ErrNoCredentials, []string{"without a signature"}, aws.UnknownTernary, []error{
			answered("STS", "GetCallerIdentity", 403, "MissingAuthenticationToken", "", 0),
		}},
		"region disabled": {"failed", ErrDenied, []string{"region is not enabled", "enable it"}, aws.UnknownTernary, []error{
			answered("STS", "AssumeRole", 403, "RegionDisabledException", "", 0),
		}},
		"not signed up": {"denied", ErrDenied, []string{"not signed up"}, aws.UnknownTernary, []error{
			answered("EC2", "DescribeInstances", 401, "OptInRequired", "You are not subscribed to this service.", 0),
		}},
		"denied": {"denied", ErrDenied, []string{"AWS denies the call"}, aws.UnknownTernary, []error{
			answered("RDS", "DescribeDBClusters", 403, "AccessDenied", "User: arn:aws:iam::123456789012:user/x is not authorized to perform: rds:DescribeDBClusters", 0),
			answered("S3", "ListBuckets", 403, "", "", 0),
			answered("EC2", "StopInstances", 400, "UnauthorizedOperation", "", 0),
			answered("KMS", "ListKeys", 400, "KMSAccessDeniedException", "", 0),
		}},
		"blocked": {"denied", ErrDenied, []string{"from being used (", "no policy can allow it"}, aws.UnknownTernary, []error{
			answered("EC2", "DescribeInstances", 403, "Blocked", "Your account is currently blocked.", 0),
			answered("EC2", "StartInstances", 400, "PendingVerification", "", 0),
			answered("S3", "GetBucketTagging", 403, "AllAccessDisabled", "All access to this object has been disabled", 0),
			answered("S3", "ListBuckets", 403, "AccountProblem", "There is a problem with your account", 0),
		}},
		"refused for another reason": {"denied", ErrDenied, []string{"AWS refuses the call (UnauthorizedAccess): No licence", "may not be what is missing"}, aws.UnknownTernary, []error{
			answered("S3", "ListBuckets", 403, "UnauthorizedAccess", "No licence", 0),
		}},
		"organisation": {"denied", ErrDenied, []string{"policy of the organisation", "Organizations"}, aws.UnknownTernary, []error{
			answered("RDS", "DescribeDBClusters", 403, "AccessDenied", "User: arn:aws:iam::123456789012:user/x is not authorized to perform: rds:DescribeDBClusters with an explicit deny in a service control policy", 0),
			answered("EC2", "DescribeInstances", 403, "UnauthorizedOperation", "You are not authorized to perform this operation, with an explicit deny in a resource control policy", 0),
		}},
		"throttled": {"throttled", nil, []string{"rate", "wait"}, aws.TrueTernary, []error{
			answered("EC2", "DescribeInstances", 503, "RequestLimitExceeded", "", 0), answered("S3", "ListBuckets", 503, "SlowDown", "", 0),
			answered("RDS", "DescribeDBInstances", 400, "Throttling", "Rate exceeded", 0), answered("STS", "GetCallerIdentity", 429, "", "", 0),
		}},
		"AWS's own": {"failed", nil, []string{"error of its own", "later"}, aws.UnknownTernary, []error{answered("RDS", "DescribeDBInstances", 500, "InternalFailure", "", 0)}},

		"no name": {"unreachable", ErrUnreachable, []string{"sts.nowhere does not resolve", "name of the region"}, aws.UnknownTernary, []error{
			unanswered(&net.DNSError{Name: "sts.nowhere", IsNotFound: true}),
		}},
		"refused":     {"unreachable", ErrUnreachable, []string{"connection was refused"}, aws.UnknownTernary, []error{dial(syscall.ECONNREFUSED)}},
		"no way":      {"unreachable", ErrUnreachable, []string{"no way", "network"}, aws.UnknownTernary, []error{dial(syscall.ENETUNREACH), dial(syscall.EHOSTUNREACH)}},
		"in time":     {"unreachable", ErrUnreachable, []string{"in time"}, aws.FalseTernary, []error{unanswered(context.DeadlineExceeded), fmt.Errorf("x: %w", context.DeadlineExceeded)}},
		"reset":       {"unreachable", ErrUnreachable, []string{"connection failed"}, aws.UnknownTernary, []error{dial(syscall.ECONNRESET), unanswered(io.EOF)}},
		"authority":   {"unreachable", ErrUnreachable, []string{"not trusted", "AWS_CA_BUNDLE"}, aws.FalseTernary, []error{unanswered(x509.UnknownAuthorityError{})}},
		"other host":  {"unreachable", ErrUnreachable, []string{"of another host"}, aws.FalseTernary, []error{unanswered(x509.HostnameError{Certificate: &x509.Certificate{}, Host: "sts"})}},
		"certificate": {"unreachable", ErrUnreachable, []string{"not valid now", "clock"}, aws.FalseTernary, []error{unanswered(x509.CertificateInvalidError{Reason: x509.Expired})}},
		"proxy":       {"unreachable", ErrUnreachable, []string{"the proxy answers with HTTP status 407", "https_proxy"}, aws.FalseTernary, []error{unanswered(proxyRefusal(407))}},
		"no proxy":    {"unreachable", ErrUnreachable, []string{"proxy can't be reached"}, aws.UnknownTernary, []error{unanswered(&net.OpError{Op: "proxyconnect", Err: syscall.ECONNREFUSED})}},
		"cut":         {"unreachable", ErrUnreachable, []string{"cut off", "again"}, aws.TrueTernary, []error{fmt.Errorf("reading: %w", io.ErrUnexpectedEOF)}},
		"endless":     {"failed", nil, []string{"does not end"}, aws.UnknownTernary, []error{fmt.Errorf("listing: %w", services.ErrEndless)}},
		"not AWS": {"unreachable", ErrUnreachable, []string{"not AWS's: a web page", "sign in where the network asks"}, aws.UnknownTernary, []error{
			fmt.Errorf("x: %w", &services.FalseAnswer{What: "a web page", Status: 200}),
		}},
	} {
		for _, err := range c.errs {
			p := Explain(err)
			if p.Code != c.code {
				t.Errorf("%s: %v has the code %s, want %s", name, err, p.Code, c.code)
			}
			for _, says := range c.says {
				if !strings.Contains(p.Message+"\n"+p.Hint, says) {
					t.Errorf("%s: %v is explained as %v, want %q", name, err, p, says)
				}
			}
			for _, sentinel := range []error{ErrDenied, ErrNoCredentials, ErrUnreachable} {
				if errors.Is(classify(err), sentinel) != (sentinel == c.is) {
					t.Errorf("%s: %v is %v: %v", name, err, sentinel, sentinel != c.is)
				}
			}
			if again := repeatable(err); again != c.again {
				t.Errorf("%s: that %v can succeed again is %v, want %v", name, err, again, c.again)
			}
		}
	}
	// Only where a permission is missing is one advised.
	for code, advised := range map[string]bool{
		"AccessDenied": true, "UnauthorizedOperation": true, "": true,
		"Blocked": false, "AllAccessDisabled": false, "AccountProblem": false, "InvalidPayer": false, "OptInRequired": false, "InvalidObjectState": false,
	} {
		err := (&Session{Profile: "p", access: &access{}}).Explain(answered("S3", "ListBuckets", 403, code, "", 0), "s3:ListAllMyBuckets")
		if p := Explain(err); strings.Contains(p.Hint, "allow s3:ListAllMyBuckets") != advised {
			t.Errorf("for %q the advice is %q", code, p.Hint)
		}
	}
	sentences := map[string]bool{}
	for _, c := range causes {
		if s := c.message + "|" + c.hint; s != "|" && sentences[s] {
			t.Errorf("two causes say %q", s)
		} else {
			sentences[s] = true
		}
	}
}

// EC2 answers AuthFailure where a region is not enabled, other services
// InvalidClientTokenId: nobody should look at keys for it that were just accepted.
func TestARegionThatRefusesGoodKeysIsNotBlamedOnThem(t *testing.T) {
	a := &access{profile: "p", region: "us-west-2", way: &way{method: methodKeys, profile: "p"}}
	for _, code := range []string{"AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException"} {
		err := answered("EC2", "DescribeInstances", 401, code, "", 0)
		a.asked = time.Time{}
		if p := Explain(a.explain("ap-east-1", err)); p.Code != CodeCredentials || !strings.Contains(p.Hint, "check the keys") {
			t.Errorf("before any answer: %v", p)
		}
		a.asked = time.Now()
		p := Explain(a.explain("ap-east-1", err))
		if p.Code != CodeFailed || !strings.Contains(p.Message, "enabled in the account") || strings.Contains(p.String(), "check the keys") {
			t.Errorf("%s in another region: %v", code, p)
		}
		if p := Explain((&access{profile: "p", region: "cn-north-1", way: a.way}).explain("cn-north-1", err)); p.Code != CodeCredentials || !strings.Contains(p.Message, "partition") || !strings.Contains(p.Message, "aws-cn") {
			t.Errorf("%s of another partition: %v", code, p)
		}
		if p := Explain(a.explain("us-west-2", err)); p.Code != CodeCredentials || !strings.Contains(p.Hint, "region us-west-2 is enabled") {
			t.Errorf("%s where the keys were accepted: %v", code, p)
		}
	}
}

// A variable that cloudops does not follow is named where it could be why.
func TestAnIgnoredProxyIsNamed(t *testing.T) {
	away := unanswered(&net.OpError{Op: "dial", Err: syscall.ENETUNREACH})
	for _, c := range []struct {
		a    *access
		err  error
		want bool
	}{
		{&access{proxies: []string{"HTTPS_PROXY"}}, away, true},
		{&access{}, away, false},
		{&access{proxies: []string{"HTTPS_PROXY"}, endpoints: endpoints{base: "http://127.0.0.1:1"}}, away, false},
		{&access{proxies: []string{"HTTPS_PROXY"}}, answered("EC2", "DescribeInstances", 403, "AccessDenied", "", 0), false},
	} {
		if p := Explain(c.a.explain("us-west-2", c.err)); strings.Contains(p.Hint, "HTTPS_PROXY") != c.want {
			t.Errorf("%+v: %v", c.a.endpoints, p)
		}
	}
}
