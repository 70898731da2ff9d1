package session

import (
	"context"
	"crypto/sha1" //nolint:gosec // the file names of the SSO cache are SHA-1 by AWS's definition
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/logincreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/signin"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// provider gives the credentials of a way: its last step, and below it those
// that lead there. cfg calls the services that give credentials.
type provider struct {
	aws.CredentialsProvider
	way *way
	// source is the name that cards show for where credentials come from.
	source string
	// logins are the cached tokens that are read while it is used.
	logins []string
}

func (w *way) provider(env Environment, cfg aws.Config) (provider, error) {
	p := provider{way: w}
	switch w.method {
	case methodRole:
		base, err := w.source.provider(env, cfg)
		if err != nil {
			return p, err
		}
		p.logins = base.logins
		cfg.Credentials = aws.NewCredentialsCache(base)
		p.CredentialsProvider, p.source = stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), w.role.arn, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName, o.Duration = w.role.session, w.role.duration
			if w.role.externalID != "" {
				o.ExternalID = &w.role.externalID
			}
		}), stscreds.ProviderName
	case methodWeb:
		p.logins = []string{w.tokenFile}
		p.CredentialsProvider, p.source = stscreds.NewWebIdentityRoleProvider(sts.NewFromConfig(cfg), w.role.arn, stscreds.IdentityTokenFile(w.tokenFile), func(o *stscreds.WebIdentityRoleOptions) {
			o.RoleSessionName = w.role.session
		}), stscreds.WebIdentityProviderName
	case methodSSO:
		token := w.sso.token(env.Home)
		p.logins = []string{token}
		cfg.Credentials, cfg.Region = nil, w.sso.region
		p.CredentialsProvider, p.source = ssocreds.New(sso.NewFromConfig(cfg), w.sso.account, w.sso.role, w.sso.startURL, func(o *ssocreds.Options) {
			o.CachedTokenFilepath = token
			if w.sso.name != "" {
				o.SSOTokenProvider = ssocreds.NewSSOTokenProvider(ssooidc.NewFromConfig(cfg), token)
			}
		}), ssocreds.ProviderName
	case methodLogin:
		token, err := logincreds.StandardCachedTokenFilepath(w.session, filepath.Join(env.Home, ".aws", "login", "cache"))
		if err != nil {
			return p, w.explain(err)
		}
		p.logins = []string{token}
		p.CredentialsProvider, p.source = logincreds.New(signin.NewFromConfig(cfg), token), "LoginProvider"
	case methodProcess:
		p.CredentialsProvider, p.source = processProvider{w.profile, w.command}, processSource
	default:
		p.CredentialsProvider, p.source = credentials.NewStaticCredentialsProvider(w.id, w.secret, w.token), "SharedConfigCredentials"
		if w.profile == environmentProfile {
			p.source = sessionSource
		}
	}
	return p, nil
}

// Retrieve says in words why there are no credentials.
func (p provider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	creds, err := p.CredentialsProvider.Retrieve(ctx)
	return creds, p.way.explain(err)
}

// token is the file where `aws sso login` left a token, in the session's home.
func (l ssoLogin) token(home string) string {
	key := l.name
	if key == "" {
		key = l.startURL
	}
	sum := sha1.Sum([]byte(key)) //nolint:gosec // see the import
	return filepath.Join(home, ".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json")
}

// explain says why a way gives no credentials.
func (w *way) explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return f // of the source, or in words already
	}
	at := look(err)
	c := causeOf(at)
	switch {
	case (w.method == methodSSO || w.method == methodLogin) && (c == nil || c == loginExpired):
		return w.loggedOut(err)
	case c == nil:
		return Explained(ErrNoCredentials, CodeCredentials, w.owner()+" gives no credentials", w.byHand(), err)
	}
	f := c.explain(at)
	if c.code == CodeUnreachable || c.code == CodeThrottled {
		return f
	}
	asking := w
	if c.keys && w.source != nil {
		asking = w.source // its keys made the call
	}
	return asking.own(f)
}

// own says whose credentials a failure is about, and what renews them.
func (w *way) own(f *failure) *failure {
	named := *f
	if !strings.Contains(f.message, "profile ") && !strings.Contains(f.message, w.owner()) {
		named.message = w.owner() + ": " + f.message
	}
	if f.because == keysExpired {
		named.hint = w.renewal()
	}
	if named.hint == "" {
		named.hint = w.byHand()
	}
	named.kind, named.code = ErrNoCredentials, CodeCredentials
	return &named
}

// owner is what people know the credentials by.
func (w *way) owner() string {
	if w.profile == environmentProfile {
		return "AWS_ACCESS_KEY_ID"
	}
	return "profile " + w.profile
}

// byHand is the advice to see for oneself.
func (w *way) byHand() string {
	if w.profile == environmentProfile {
		return "try: aws sts get-caller-identity"
	}
	return "try: aws sts get-caller-identity --profile " + w.profile
}

// renewal is how expired credentials are renewed.
func (w *way) renewal() string {
	switch {
	case w.profile == environmentProfile:
		return "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN anew, from where you had them"
	case w.method == methodSSO, w.method == methodLogin:
		return "run: " + w.logIn()
	case w.method == methodProcess:
		return "log in again where its credential_process gets them from"
	case w.method == methodRole:
		return w.source.renewal()
	case w.method == methodWeb:
		return "have the web identity token issued anew"
	}
	return "write new keys and their aws_session_token into the AWS files, from where you had them"
}

// logIn is the command that begins a login.
func (w *way) logIn() string {
	if w.method == methodSSO {
		return "aws sso login --profile " + w.profile
	}
	return "aws login --profile " + w.profile
}

// loggedOut tells apart why a login gives nothing. The SDK has no error of its
// own for any of it.
func (w *way) loggedOut(err error) error {
	why := "the login of profile " + w.profile + " has expired"
	hint := "run: " + w.logIn()
	switch said := err.Error(); {
	case errors.Is(err, fs.ErrNotExist), strings.Contains(said, "token file not found"):
		why = "nobody has logged in for profile " + w.profile
	case strings.Contains(said, "parse cached SSO token"), strings.Contains(said, "cached SSO token file must contain"), strings.Contains(said, "validate login token"), as[*json.SyntaxError](look(err)):
		why = "the login of profile " + w.profile + " can't be read from its file"
	case strings.Contains(said, "password has changed"):
		why = "the login of profile " + w.profile + " ended, since its password was changed"
	case strings.Contains(said, "insufficient permissions"):
		why, hint = "the login of profile "+w.profile+" may not be renewed", "allow signin:CreateOAuth2Token to it"
	}
	return Explained(ErrNoCredentials, CodeCredentials, why, hint, err)
}

// trustedLogin refuses a cached login or token that others could have put
// there: it decides whose account is acted on. An absent one is no error here.
func (env Environment) trustedLogin(path, profile string) error {
	_, _, err := env.trusted(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return Explained(ErrNoCredentials, CodeCredentials, "the login of profile "+profile+" can't be used: "+Explain(err).Message, Explain(err).Hint, err)
}
