package scanner

import (
	"context"
	"crypto/sha1" //nolint:gosec // the file names of the SSO cache are SHA-1 by AWS's definition
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/logincreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/signin"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// explainedProvider says in words why there are no credentials.
type explainedProvider struct {
	aws.CredentialsProvider
	profile, login string
}

func (p explainedProvider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	creds, err := p.CredentialsProvider.Retrieve(ctx)
	return creds, credentialsFailure(p.profile, p.login, err)
}

// chain is the standard chain of a profile: keys, web identity, SSO, login,
// process, and a role on top of any. What depends on the machine or on the
// daemon's own environment is refused.
func (a *access) chain(cfg aws.Config, env Environment, p config.SharedConfig) (aws.CredentialsProvider, string, error) {
	var provider aws.CredentialsProvider
	source := ""
	switch {
	case p.Source != nil:
		var err error
		if provider, source, err = a.chain(cfg, env, *p.Source); err != nil {
			return nil, "", err
		}
	case p.Credentials.HasKeys():
		provider, source = credentials.StaticCredentialsProvider{Value: p.Credentials}, "SharedConfigCredentials"
	case p.CredentialSource != "":
		return nil, "", explained(ErrNoCredentials, codeCredentials,
			"profile "+p.Profile+" takes its credentials from the machine (credential_source), which cloudops does not",
			"use a profile with source_profile, SSO or keys", nil)
	case p.WebIdentityTokenFile != "":
		token, _, err := env.trusted(p.WebIdentityTokenFile)
		if err != nil {
			return nil, "", explained(ErrNoCredentials, codeCredentials, "the web identity token of profile "+p.Profile+" can't be used", "check web_identity_token_file", err)
		}
		a.logins = append(a.logins, token)
		return stscreds.NewWebIdentityRoleProvider(sts.NewFromConfig(cfg), p.RoleARN, stscreds.IdentityTokenFile(token), func(o *stscreds.WebIdentityRoleOptions) {
			o.RoleSessionName = sessionName(p)
		}), stscreds.WebIdentityProviderName, nil
	case p.SSOSession != nil || p.SSOStartURL != "":
		token := ssoToken(env, p)
		a.logins = append(a.logins, token)
		provider, source = explainedProvider{ssoProvider(cfg, p, token), p.Profile, "aws sso login"}, ssocreds.ProviderName
	case p.LoginSession != "":
		token, err := logincreds.StandardCachedTokenFilepath(p.LoginSession, filepath.Join(env.Home, ".aws", "login", "cache"))
		if err != nil {
			return nil, "", credentialsFailure(p.Profile, "aws login", err)
		}
		a.logins = append(a.logins, token)
		provider, source = explainedProvider{logincreds.New(signin.NewFromConfig(cfg), token), p.Profile, "aws login"}, "LoginProvider"
	case p.CredentialProcess != "":
		provider, source = processProvider(p), processcreds.ProviderName
	default:
		return nil, "", explained(ErrNoCredentials, codeCredentials, "profile "+p.Profile+" has no credentials",
			"run: aws configure --profile "+p.Profile, nil)
	}
	if p.RoleARN == "" {
		return provider, source, nil
	}
	if p.MFASerial != "" {
		return nil, "", explained(ErrNoCredentials, codeCredentials, "profile "+p.Profile+" needs MFA, which can't be asked for here",
			"use a profile without mfa_serial, such as one of SSO", nil)
	}
	cfg.Credentials = aws.NewCredentialsCache(provider)
	return stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), p.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = sessionName(p)
		o.Duration = time.Hour
		if p.RoleDurationSeconds != nil {
			o.Duration = *p.RoleDurationSeconds
		}
		if p.ExternalID != "" {
			o.ExternalID = &p.ExternalID
		}
	}), stscreds.ProviderName, nil
}

// sessionName is fixed, so that the caller's ARN stays the same between runs.
func sessionName(p config.SharedConfig) string {
	if p.RoleSessionName != "" {
		return p.RoleSessionName
	}
	return application
}

// ssoToken is the file where `aws sso login` left a token, in the session's home.
func ssoToken(env Environment, p config.SharedConfig) string {
	key := p.SSOStartURL
	if p.SSOSession != nil {
		key = p.SSOSession.Name
	}
	sum := sha1.Sum([]byte(key)) //nolint:gosec // see the import
	return filepath.Join(env.Home, ".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json")
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

// ssoProvider reads the token that `aws sso login` left.
func ssoProvider(cfg aws.Config, p config.SharedConfig, token string) aws.CredentialsProvider {
	cfg.Credentials = nil
	if p.SSOSession == nil {
		cfg.Region = p.SSORegion
		return ssocreds.New(sso.NewFromConfig(cfg), p.SSOAccountID, p.SSORoleName, p.SSOStartURL, func(o *ssocreds.Options) {
			o.CachedTokenFilepath = token
		})
	}
	cfg.Region = p.SSOSession.SSORegion
	return ssocreds.New(sso.NewFromConfig(cfg), p.SSOAccountID, p.SSORoleName, p.SSOSession.SSOStartURL, func(o *ssocreds.Options) {
		o.CachedTokenFilepath = token
		o.SSOTokenProvider = ssocreds.NewSSOTokenProvider(ssooidc.NewFromConfig(cfg), token)
	})
}

// processVariables are what a credential process gets of the environment.
var processVariables = []string{
	"PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DBUS_SESSION_BUS_ADDRESS",
	"SYSTEMROOT", "COMSPEC", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "TEMP", "PATHEXT",
}

// processWait is how long a credential process is waited for after it was told
// to end, since what it started may hold its output open.
const processWait = time.Second

// processProvider runs the credential process of the user's own AWS files, with
// the few variables that programs need. What it prints on standard error is
// dropped: it could be a secret, and the daemon's is a log.
func processProvider(p config.SharedConfig) aws.CredentialsProvider {
	program := processcreds.DefaultNewCommandBuilder{Args: []string{p.CredentialProcess}}
	return failedProcess{p.Profile, processcreds.NewProviderCommand(processcreds.NewCommandBuilderFunc(func(ctx context.Context) (*exec.Cmd, error) {
		cmd, err := program.NewCommand(ctx)
		if err != nil {
			return nil, err
		}
		cmd.Stdin, cmd.Stderr, cmd.WaitDelay = nil, nil, processWait
		cmd.Env = slices.DeleteFunc(os.Environ(), func(entry string) bool {
			name, _, _ := strings.Cut(entry, "=")
			return !slices.Contains(processVariables, strings.ToUpper(name))
		})
		return cmd, nil
	}), func(o *processcreds.Options) { o.Timeout = 15 * time.Second })}
}

// failedProcess explains a failure without its text, which may hold what the
// process printed.
type failedProcess struct {
	profile string
	aws.CredentialsProvider
}

func (p failedProcess) Retrieve(ctx context.Context) (aws.Credentials, error) {
	creds, err := p.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		why := "failed, or printed no credentials"
		if strings.Contains(err.Error(), "timed out") {
			why = "did not end in time"
		}
		err = explained(ErrNoCredentials, codeCredentials, "the credential_process of profile "+p.profile+" "+why,
			"try: aws sts get-caller-identity --profile "+p.profile, nil)
	}
	return creds, err
}
