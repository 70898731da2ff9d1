package scanner

import (
	"context"
	"crypto/sha1" //nolint:gosec // the file names of the SSO cache are SHA-1 by AWS's definition
	"encoding/hex"
	"errors"
	"io/fs"
	"path/filepath"

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
	login := ""
	switch w.method {
	case methodSSO:
		login = "aws sso login"
	case methodLogin:
		login = "aws login"
	}
	return credentialsFailure(w.profile, login, err)
}

// trustedLogin refuses a cached login or token that others could have put
// there: it decides whose account is acted on. An absent one is no error here.
func (env Environment) trustedLogin(path, profile string) error {
	_, _, err := env.trusted(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return explained(ErrNoCredentials, codeCredentials, "the login of profile "+profile+" can't be used: "+Explain(err).Message, Explain(err).Hint, err)
}
