package scanner

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	services "github.com/cloudops/cloudops/scanner/aws"
)

// The codes of a Problem.
const (
	codeDenied      = "denied"
	codeCredentials = "credentials"
	codeUnreachable = "unreachable"
	codeThrottled   = "throttled"
	codeEndpoint    = "endpoint"
	codeProfile     = "profile"
	codeFailed      = "failed"
)

// failure is an error in words, with what to do about it.
type failure struct {
	kind          error // the sentinel; nil for "failed" and "throttled"
	code          string
	message, hint string
	cause         error
}

func explained(kind error, code, message, hint string, cause error) error {
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
		return Problem{Code: codeFailed, Message: scrub(err.Error())}
	}
	return Problem{Code: f.code, Message: f.message, Hint: f.hint}
}

// The API error codes that mean the same everywhere.
var (
	credentialCodes = []string{
		"InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "InvalidAccessKeyId", "InvalidToken",
		"SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "MissingAuthenticationToken",
	}
	expiredCodes = []string{"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
	skewCodes    = []string{"RequestTimeTooSkewed", "RequestInTheFuture"}
	deniedCodes  = []string{
		"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedAccess", "AuthorizationError",
		"Forbidden", "ForbiddenException", "AllAccessDisabled", "OptInRequired",
	}
	goneCodes = []string{
		"InvalidInstanceID.NotFound", "DBInstanceNotFound", "DBInstanceNotFoundFault",
		"DBClusterNotFoundFault", "DBClusterNotFound", "NoSuchBucket",
	}
)

// classify turns an error of the SDK into a failure; a failure, nil and the
// end of a context pass as they are.
func classify(err error) error {
	var f *failure
	if err == nil || errors.As(err, &f) || errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, services.ErrGone) {
		return explained(ErrGone, codeFailed, "it was deleted, or never was", "scan again to bring the estate up to date", err)
	}

	code, said := "", ""
	var api smithy.APIError
	if errors.As(err, &api) {
		code, said = api.ErrorCode(), api.ErrorMessage()
	}
	status := 0
	var resp *smithyhttp.ResponseError
	if errors.As(err, &resp) && resp.Response != nil {
		status = resp.HTTPStatusCode()
	}
	_, throttles := retry.DefaultThrottleErrorCodes[code]
	switch {
	case slices.Contains(goneCodes, code):
		return explained(ErrGone, codeFailed, "AWS answers "+code, "scan again to bring the estate up to date", err)
	case slices.Contains(expiredCodes, code):
		return explained(ErrNoCredentials, codeCredentials, "the credentials have expired", "renew them (for SSO: aws sso login), then try again", err)
	case slices.Contains(skewCodes, code):
		return explained(ErrNoCredentials, codeCredentials, "AWS refuses the time of this machine", "set its clock right", err)
	case slices.Contains(credentialCodes, code):
		return explained(ErrNoCredentials, codeCredentials, "AWS does not accept the credentials ("+code+")", "check the keys of the profile", err)
	case throttles || status == http.StatusTooManyRequests || code == "SlowDown":
		return explained(nil, codeThrottled, "AWS limits the rate of calls", "wait a little, then try again", err)
	case slices.Contains(deniedCodes, code), status == http.StatusForbidden:
		return explained(ErrDenied, codeDenied, deniedMessage(code, said), "", err)
	case connection(err):
		return unreachable(err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return explained(ErrUnreachable, codeUnreachable, "the answer was cut off", "try again", err)
	case code != "" && code != "UnknownError":
		return explained(nil, codeFailed, "AWS answers "+scrub(code+": "+said), "", err)
	case status != 0:
		return explained(nil, codeFailed, fmt.Sprintf("AWS answers with HTTP status %d", status), "try again later", err)
	}
	return explained(nil, codeFailed, scrub(err.Error()), "", err)
}

// deniedMessage keeps the sentence that names principal and action, not the
// encoded rest.
func deniedMessage(code, said string) string {
	if said = scrub(said); said == "" || strings.Contains(said, "UnknownError") {
		return "AWS denies the call"
	}
	return "AWS denies the call: " + said
}

// connection says whether no answer came at all.
func connection(err error) bool {
	// Not net.Error: an error number of the system is one too, such as of a missing file.
	var send *smithyhttp.RequestSendError
	var network *net.OpError
	var dns *net.DNSError
	return errors.As(err, &send) || errors.As(err, &network) || errors.As(err, &dns) || errors.Is(err, context.DeadlineExceeded)
}

func unreachable(err error) error {
	var dns *net.DNSError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	var plain tls.RecordHeaderError
	var refusal proxyRefusal
	var dial *net.OpError
	var network net.Error
	why, hint := "the connection failed", "check the network, the region and the endpoint"
	switch {
	case errors.As(err, &dns):
		why = "the name " + dns.Name + " does not resolve"
	case errors.As(err, &refusal):
		why, hint = fmt.Sprintf("the proxy answers with HTTP status %d", int(refusal)), "check aws.https_proxy in config.yaml"
	case errors.As(err, &dial) && dial.Op == "proxyconnect":
		why, hint = "the proxy can't be reached", "check aws.https_proxy in config.yaml"
	case errors.As(err, &plain), strings.Contains(err.Error(), "gave HTTP response to HTTPS client"):
		why, hint = "it does not speak TLS", "write the endpoint with http://"
	case errors.As(err, &authority), errors.As(err, &hostname), errors.As(err, &invalid):
		why, hint = "its certificate is not trusted", "behind a proxy that opens TLS, set AWS_CA_BUNDLE"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		why = "it did not answer in time"
	case strings.Contains(err.Error(), "connection refused"):
		why = "the connection was refused"
	}
	return explained(ErrUnreachable, codeUnreachable, why, hint, err)
}

// credentialsFailure explains why a profile gives no credentials. login is the
// command that renews them; "" if there is none.
func credentialsFailure(profile, login string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	if errors.As(classify(err), &f) && (f.code == codeUnreachable || f.code == codeThrottled) {
		return f
	}
	if login != "" {
		return explained(ErrNoCredentials, codeCredentials, "the login of profile "+profile+" has expired, or was never begun",
			"run: "+login+" --profile "+profile, err)
	}
	message := "profile " + profile + " gives no credentials"
	if f != nil {
		message += ": " + f.message
	}
	return explained(ErrNoCredentials, codeCredentials, message, "try: aws sts get-caller-identity --profile "+profile, err)
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
