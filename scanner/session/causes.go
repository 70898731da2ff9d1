package session

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage/kind"
)

// cause is one way in which a call can fail, in words: the row of causes that
// everything which explains an error goes by.
type cause struct {
	kind error // the sentinel; nil for what has none
	code string
	// message says what happened, hint what to do; both may be "".
	message, hint string
	// keys: it is about the credentials that the call was made with.
	keys bool
	// more is said after the message.
	more func(seen) string
	// again says whether the same call can succeed a moment later; unknown
	// leaves it to the SDK.
	again aws.Ternary
	is    func(seen) bool
}

// seen is what an error tells, for causes to be recognised by.
type seen struct {
	err                error
	service, operation string // the SDK's ids, such as "SSO OIDC"
	code, said         string // AWS's
	status             int
	skew               time.Duration // how far this machine's clock is ahead of the answer's
}

// maxSkew is how far apart AWS lets clocks be, less what an answer takes.
const maxSkew = 4 * time.Minute

func look(err error) seen {
	s := seen{err: err}
	if operation, ok := errors.AsType[*smithy.OperationError](err); ok {
		s.service, s.operation = operation.ServiceID, operation.OperationName
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		s.code, s.said = api.ErrorCode(), api.ErrorMessage()
	}
	if resp, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && resp.Response != nil {
		s.status = resp.HTTPStatusCode()
		if at, err := http.ParseTime(resp.Response.Header.Get("Date")); err == nil {
			s.skew = time.Since(at)
		}
	}
	return s
}

// Causes that others ask about by name.
var (
	// keysUnknown is also what a region answers that is not enabled.
	keysUnknown = &cause{
		kind: ErrNoCredentials, code: CodeCredentials,
		message: "AWS does not know the access key", more: named, keys: true,
		hint: "check the keys: they may be deleted, inactive, or of another partition (China, GovCloud)",
		is:   codes("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "InvalidAccessKeyId"),
	}
	regionDisabled = &cause{
		kind: ErrDenied, code: CodeFailed,
		message: "the region is not enabled in the account", more: named,
		hint: "enable it in the account's settings, or leave it out",
		is:   codes("RegionDisabledException", "RegionDisabled"),
	}
	// keysExpired is renewed where the credentials come from.
	keysExpired = &cause{
		kind: ErrNoCredentials, code: CodeCredentials, message: "the credentials have expired", keys: true,
		hint: "renew them where they come from, then try again",
		is:   codes("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"),
	}
	loginExpired = &cause{
		kind: ErrNoCredentials, code: CodeCredentials,
		message: "the login has expired", hint: "log in again",
		is: func(s seen) bool {
			return byIdentityCenter(s) && slices.Contains([]string{
				"UnauthorizedException", "InvalidGrantException", "ExpiredTokenException", "InvalidClientException",
			}, s.code)
		},
	}
)

// causes are looked through in this order; the first that fits is the one.
var causes = []*cause{
	{
		kind: ErrGone, code: CodeFailed, message: "it was deleted, or never was", hint: "scan again to bring the estate up to date",
		again: aws.FalseTernary,
		is:    func(s seen) bool { return errors.Is(s.err, services.ErrGone) },
	},
	{
		kind: ErrGone, code: CodeFailed, message: "AWS answers", more: func(s seen) string { return " " + s.code },
		hint: "scan again to bring the estate up to date",
		is: func(s seen) bool {
			return slices.ContainsFunc(services.Kinds().All(), func(k *kind.Kind) bool { return slices.Contains(k.Gone, s.code) })
		},
	},
	{
		kind: ErrUnreachable, code: CodeUnreachable, message: "the answer was cut off", hint: "try again", again: aws.TrueTernary,
		is: func(s seen) bool {
			return !NoAnswer(s.err) && (errors.Is(s.err, io.ErrUnexpectedEOF) || errors.Is(s.err, io.EOF))
		},
	},
	{
		kind: ErrUnreachable, code: CodeUnreachable, message: "an answer came that is not AWS's: ",
		more: func(s seen) string {
			answer, ok := errors.AsType[*services.FalseAnswer](s.err)
			switch {
			case !ok:
				return "one that can't be read"
			case answer.Status != http.StatusOK:
				return fmt.Sprintf("%s (HTTP status %d)", scrub(answer.What), answer.Status)
			}
			return scrub(answer.What)
		},
		hint: "sign in where the network asks for it, check the endpoint, or name the proxy as aws.https_proxy in config.yaml; then try again",
		is: func(s seen) bool {
			return as[*services.FalseAnswer](s) || as[*smithy.DeserializationError](s) && s.status >= 200 && s.status < 300
		},
	},
	{
		code: CodeFailed, message: "the list does not end: its pages lead to each other, or nowhere",
		hint: "try again; if it stays so, what answers is faulty",
		is:   func(s seen) bool { return errors.Is(s.err, services.ErrEndless) },
	},

	// Who calls, and when.
	{
		kind: ErrNoCredentials, code: CodeCredentials, message: "this machine's clock is wrong, so AWS refuses the signature",
		more: func(s seen) string {
			switch {
			case s.skew > maxSkew:
				return fmt.Sprintf(": it is ahead by %v", s.skew.Round(time.Minute))
			case s.skew < -maxSkew:
				return fmt.Sprintf(": it is behind by %v", -s.skew.Round(time.Minute))
			}
			return " (" + s.code + ")"
		},
		hint: "set the clock, best by the network's time, then try again",
		is: func(s seen) bool {
			switch s.code {
			case "RequestTimeTooSkewed", "RequestInTheFuture", "SignatureExpired":
				return true
			case "SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure", "RequestExpired":
				return s.skew > maxSkew || s.skew < -maxSkew ||
					strings.Contains(s.said, "Signature expired") || strings.Contains(s.said, "Signature not yet current")
			}
			return false
		},
	},
	loginExpired,
	{
		kind: ErrNoCredentials, code: CodeCredentials, message: "the identity provider does not give this login the role of the profile", more: because,
		hint: "check the account and role in the profile, or ask whoever assigns access",
		is: func(s seen) bool {
			return byIdentityCenter(s) && slices.Contains([]string{
				"ForbiddenException", "AccessDeniedException", "UnauthorizedClientException", "ResourceNotFoundException",
			}, s.code)
		},
	},
	{
		kind: ErrNoCredentials, code: CodeCredentials, message: "the token of the identity provider has expired",
		hint: "have it issued anew, then try again",
		is: func(s seen) bool {
			return s.operation == "AssumeRoleWithWebIdentity" && strings.HasPrefix(s.code, "ExpiredToken")
		},
	},
	{
		kind: ErrNoCredentials, code: CodeCredentials, message: "AWS does not accept the token of the identity provider", more: because,
		hint: "check the role's trust in the provider, and the audience of the token",
		is:   codes("InvalidIdentityToken", "InvalidIdentityTokenException", "IDPRejectedClaim", "IDPCommunicationError"),
	},
	keysExpired,
	{
		kind: ErrNoCredentials, code: CodeCredentials, message: "AWS refuses what the profile says of the role", more: because,
		hint: "correct role_arn, role_session_name, external_id or duration_seconds",
		is: func(s seen) bool {
			return strings.HasPrefix(s.operation, "AssumeRole") && (s.code == "ValidationError" || s.code == "MalformedPolicyDocument")
		},
	},
	regionDisabled,
	keysUnknown,
	{
		kind: ErrNoCredentials, code: CodeCredentials, message: "AWS does not accept the session token", more: named, keys: true,
		hint: "renew the credentials: the token is malformed, or belongs to other keys",
		is:   codes("InvalidToken"),
	},
	{
		kind: ErrNoCredentials, code: CodeCredentials, message: "the secret key does not belong to the access key", more: named, keys: true,
		hint: "write both keys anew; if they are right, something between here and AWS changes the requests",
		is:   codes("SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "IncompleteSignatureException"),
	},
	{
		kind: ErrNoCredentials, code: CodeCredentials, message: "the call reached AWS without a signature", more: named,
		hint: "something between here and AWS takes it away: check aws.https_proxy and the endpoint",
		is:   codes("MissingAuthenticationToken", "MissingAuthenticationTokenException"),
	},

	// What AWS does not let this caller do.
	{
		code: CodeThrottled, message: "AWS limits the rate of calls", hint: "wait a little, then try again", again: aws.TrueTernary,
		is: func(s seen) bool {
			_, throttles := retry.DefaultThrottleErrorCodes[s.code]
			return throttles || s.status == http.StatusTooManyRequests
		},
	},
	{
		kind: ErrDenied, code: CodeDenied, message: "the account is not signed up for the service there", more: named,
		hint: "finish the account's sign-up, or enable the region in the account's settings",
		is:   codes("OptInRequired", "SubscriptionRequiredException", "NotSignedUp"),
	},
	{
		kind: ErrDenied, code: CodeDenied, message: "a policy of the organisation forbids the call", more: because,
		hint: "ask who runs AWS Organizations: no policy of the account can allow it",
		is: func(s seen) bool {
			return refused(s) && (strings.Contains(s.said, "service control policy") || strings.Contains(s.said, "resource control policy"))
		},
	},
	{
		kind: ErrNoCredentials, code: CodeCredentials, message: "AWS does not let these credentials assume the role", more: because,
		hint: "check role_arn and external_id, and ask whoever owns the role to trust the caller",
		is:   func(s seen) bool { return s.operation == "AssumeRole" && refused(s) },
	},
	{
		kind: ErrNoCredentials, code: CodeCredentials, message: "the role does not trust the token of the identity provider", more: because,
		hint: "check role_arn, and the role's trust policy: its provider, and what it wants of audience and subject",
		is:   func(s seen) bool { return s.operation == "AssumeRoleWithWebIdentity" && refused(s) },
	},
	{
		kind: ErrDenied, code: CodeDenied, message: "AWS keeps the account, or the resource, from being used", more: reason,
		hint: "ask AWS Support: no policy can allow it",
		is:   codes("Blocked", "PendingVerification", "AccountProblem", "AllAccessDisabled", "InvalidPayer"),
	},
	{
		kind: ErrDenied, code: CodeDenied, message: "AWS denies the call", more: because, is: refused,
	},
	{
		kind: ErrDenied, code: CodeDenied, message: "AWS refuses the call", more: reason,
		hint: "go by what AWS says of it: a permission may not be what is missing",
		is:   func(s seen) bool { return s.status == http.StatusForbidden },
	},

	// No answer at all.
	{
		kind: ErrUnreachable, code: CodeUnreachable,
		more: func(s seen) string {
			dns, _ := errors.AsType[*net.DNSError](s.err)
			return "the name " + dns.Name + " does not resolve"
		},
		hint: "check the network and the name of the region",
		is:   as[*net.DNSError],
	},
	{
		kind: ErrUnreachable, code: CodeUnreachable, again: aws.FalseTernary,
		more: func(s seen) string {
			refusal, _ := errors.AsType[proxyRefusal](s.err)
			return fmt.Sprintf("the proxy answers with HTTP status %d", int(refusal))
		},
		hint: "check aws.https_proxy in config.yaml", is: as[proxyRefusal],
	},
	{
		kind: ErrUnreachable, code: CodeUnreachable, message: "the proxy can't be reached", hint: "check aws.https_proxy in config.yaml",
		is: func(s seen) bool {
			dial, ok := errors.AsType[*net.OpError](s.err)
			return ok && dial.Op == "proxyconnect"
		},
	},
	{
		kind: ErrUnreachable, code: CodeUnreachable, message: "it does not speak TLS", hint: "write the endpoint with http://",
		is: func(s seen) bool {
			return as[tls.RecordHeaderError](s) || strings.Contains(s.err.Error(), "gave HTTP response to HTTPS client")
		},
	},
	{
		kind: ErrUnreachable, code: CodeUnreachable, message: "its certificate is not valid now", again: aws.FalseTernary,
		hint: "check this machine's clock; if it is right, the certificate of what answers has expired",
		is: func(s seen) bool {
			invalid, ok := errors.AsType[x509.CertificateInvalidError](s.err)
			return ok && invalid.Reason == x509.Expired
		},
	},
	{
		kind: ErrUnreachable, code: CodeUnreachable, message: "its certificate is of another host", again: aws.FalseTernary,
		hint: "something between here and AWS answers in its place: check the network, aws.https_proxy and the endpoint",
		is:   as[x509.HostnameError],
	},
	{
		kind: ErrUnreachable, code: CodeUnreachable, message: "its certificate is not trusted", again: aws.FalseTernary,
		hint: "behind a proxy that opens TLS, set AWS_CA_BUNDLE to its authority",
		is: func(s seen) bool {
			return as[x509.UnknownAuthorityError](s) || as[x509.CertificateInvalidError](s) || as[*tls.CertificateVerificationError](s)
		},
	},
	{
		kind: ErrUnreachable, code: CodeUnreachable, message: "the connection was refused", hint: "check the endpoint, and whether it runs",
		is: func(s seen) bool { return errors.Is(s.err, syscall.ECONNREFUSED) },
	},
	{
		kind: ErrUnreachable, code: CodeUnreachable, message: "there is no way to it", hint: "check the network of this machine",
		is: func(s seen) bool {
			return NoAnswer(s.err) && (errors.Is(s.err, syscall.ENETUNREACH) || errors.Is(s.err, syscall.EHOSTUNREACH))
		},
	},
	{
		kind: ErrUnreachable, code: CodeUnreachable, message: "it did not answer in time", again: aws.FalseTernary,
		hint: "check the network, the region and the endpoint",
		is: func(s seen) bool {
			network, ok := errors.AsType[net.Error](s.err)
			return errors.Is(s.err, context.DeadlineExceeded) || ok && network.Timeout()
		},
	},
	{
		kind: ErrUnreachable, code: CodeUnreachable, message: "the connection failed", hint: "check the network, the region and the endpoint",
		is: func(s seen) bool { return NoAnswer(s.err) },
	},

	// Whatever else AWS says.
	{
		code: CodeFailed, message: "AWS has an error of its own", more: named, hint: "try again later",
		is: func(s seen) bool {
			return s.status >= 500 && s.code != "" && s.code != unnamedError
		},
	},
	{
		code: CodeFailed, message: "AWS answers ", more: func(s seen) string { return scrub(s.code + ": " + s.said) },
		is: func(s seen) bool { return s.code != "" && s.code != unnamedError },
	},
	{
		code: CodeFailed, message: "AWS answers with HTTP status ", more: func(s seen) string { return fmt.Sprint(s.status) },
		hint: "try again later",
		is:   func(s seen) bool { return s.status != 0 },
	},
}

// unnamedError is the SDK's code for an answer that names none.
const unnamedError = "UnknownError"

// causeOf is the cause of an error; nil for one that no row fits.
func causeOf(s seen) *cause {
	for _, c := range causes {
		if c.is(s) {
			return c
		}
	}
	return nil
}

// explain is the failure of this cause.
func (c *cause) explain(s seen) *failure {
	message := c.message
	if c.more != nil {
		message += c.more(s)
	}
	return &failure{because: c, kind: c.kind, code: c.code, message: message, hint: c.hint, cause: s.err}
}

// codes recognises a cause by AWS's codes.
func codes(list ...string) func(seen) bool {
	return func(s seen) bool { return slices.Contains(list, s.code) }
}

// as recognises a cause by the type of an error.
func as[E error](s seen) bool {
	_, ok := errors.AsType[E](s.err)
	return ok
}

// named says AWS's code.
func named(s seen) string {
	if s.code == "" {
		return ""
	}
	return " (" + scrub(s.code) + ")"
}

// because says AWS's own sentence, if there is one. Of a denial it names
// principal and action.
func because(s seen) string {
	said := scrub(s.said)
	if said == "" || strings.Contains(said, unnamedError) {
		return ""
	}
	return ": " + said
}

// reason says AWS's code and its own sentence.
func reason(s seen) string { return named(s) + because(s) }

// refused says whether the caller lacks a permission: AWS has other reasons for
// its status 403, and names them.
func refused(s seen) bool {
	if s.code == "" || s.code == unnamedError {
		return s.status == http.StatusForbidden
	}
	return slices.ContainsFunc([]string{"AccessDenied", "AuthorizationError", "Forbidden", "NotAuthorized", "UnauthorizedOperation"},
		func(word string) bool { return strings.Contains(s.code, word) }) || s.code == "Unauthorized" || s.code == "UnauthorizedException"
}

// byIdentityCenter says whether the answer is of IAM Identity Center or of
// AWS's sign-in, which know logins and no keys.
func byIdentityCenter(s seen) bool {
	return slices.Contains([]string{"SSO", "SSO OIDC", "Signin"}, s.service)
}

// NoAnswer says whether no answer came at all.
func NoAnswer(err error) bool {
	// Not net.Error: an error number of the system is one too, such as of a missing file.
	s := seen{err: err}
	return as[*smithyhttp.RequestSendError](s) || as[*net.OpError](s) || as[*net.DNSError](s) || errors.Is(err, context.DeadlineExceeded)
}
