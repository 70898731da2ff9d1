package scanner_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/scanner/session"
)

// stage is one way in which nobody gets through to AWS, made for real.
type stage struct {
	*fakeAWS
	t   *testing.T
	env session.Environment
	cfg scanner.Config
}

// files are what the profiles are in; those with keys are complete.
func (s *stage) files(config, credentials string) {
	write(s.t, s.env.ConfigFile, config)
	write(s.t, s.env.CredentialsFile, credentials)
}

const stageKeys = "[p]\naws_access_key_id = AKIAPLANTED\naws_secret_access_key = planted\naws_session_token = planted\n"

// refuse lets one operation answer an error; "" means each.
func (s *stage) refuse(operation, code, said string) {
	s.answer(func(w http.ResponseWriter, asked string, r *http.Request) bool {
		if operation != "" && asked != operation {
			return false
		}
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>x</RequestId></ErrorResponse>", code, said)
		return true
	})
}

// refusePath lets the services of logins answer an error.
func (s *stage) refusePath(path string, status int, code, body string) {
	s.answer(func(w http.ResponseWriter, _ string, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, path) {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Amzn-Errortype", code)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
		return true
	})
}

const stageSSO = "[profile p]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = dev\n[sso-session corp]\nsso_start_url = https://corp.example\nsso_region = us-east-1\n"

// sso leaves a login that ends after a while, in either direction.
func (s *stage) sso(ends time.Duration) {
	s.files(stageSSO, "")
	sum := sha1.Sum([]byte("corp"))
	text, err := json.Marshal(map[string]any{
		"startUrl": "https://corp.example", "region": "us-east-1", "accessToken": "planted", "expiresAt": time.Now().Add(ends).UTC().Format(time.RFC3339),
		"clientId": "planted", "clientSecret": "planted", "refreshToken": "planted", "registrationExpiresAt": time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	write(s.t, filepath.Join(s.env.Home, ".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json"), string(text))
}

const stageLogin = "arn:aws:iam::123456789012:user/me"

// login leaves what `aws login` does, run out.
func (s *stage) login() {
	s.files("[profile p]\nlogin_session = "+stageLogin+"\n", "")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{
		"accessToken": map[string]any{"accessKeyId": "ASIAPLANTED", "secretAccessKey": "planted", "sessionToken": "planted", "accountId": fakeAccount, "expiresAt": "2020-01-01T00:00:00Z"},
		"tokenType":   "urn:aws:params:oauth:token-type:access_token_sigv4", "clientId": "arn:aws:signin:::devtools/same-device", "refreshToken": "planted",
		"idToken": "planted", "dpopKey": string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(stageLogin))
	write(s.t, filepath.Join(s.env.Home, ".aws", "login", "cache", hex.EncodeToString(sum[:])+".json"), string(text))
}

// web leaves a token of an identity provider.
func (s *stage) web() {
	token := filepath.Join(s.env.Home, "token")
	write(s.t, token, fakeToken)
	s.files("[profile p]\nrole_arn = arn:aws:iam::123456789012:role/r\nweb_identity_token_file = "+token+"\n", "")
}

const stageRole = "[profile p]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = q\n"

var stageSource = strings.Replace(stageKeys, "[p]", "[q]", 1)

// Whatever keeps a person from AWS has a sentence of its own, with its own
// advice and nobody else's, wherever it shows.
func TestEachReasonHasItsOwnAdvice(t *testing.T) {
	reasons := map[string]struct {
		make   func(s *stage)
		says   string
		advice string
	}{
		"nothing at all":        {func(s *stage) {}, "there are no AWS profiles and no keys", "run `aws configure` or `aws configure sso`"},
		"half a pair of keys":   {func(s *stage) { s.env.Profile, s.env.AccessKeyID = "", "AKIAPLANTED" }, "AWS_ACCESS_KEY_ID is set without", "set both, or unset"},
		"no such profile":       {func(s *stage) { s.files("[profile dev]\nregion = us-west-2\n", "") }, `"p"`, "choose from: dev"},
		"no credentials":        {func(s *stage) { s.files("[profile p]\nregion = us-west-2\n", "") }, "profile p has no credentials", "run: aws configure --profile p"},
		"a malformed file":      {func(s *stage) { s.files("[profile p]\nplanted\n", "") }, "malformed at line 2", "correct that line"},
		"a file in UTF-16":      {func(s *stage) { s.files("\xff\xfe[\x00p\x00]\x00", "") }, "UTF-16", "save it in UTF-8"},
		"a wrong region":        {func(s *stage) { s.env.Region = "nowhere"; s.files("", stageKeys) }, `AWS_REGION is "nowhere"`, "write it like us-west-2"},
		"an endpoint elsewhere": {func(s *stage) { s.env.EndpointURL = "http://evil.example"; s.files("", stageKeys) }, "neither AWS nor on this machine", "name it under aws.endpoints"},
		"FIPS of an endpoint": {func(s *stage) { s.files("[profile p]\nuse_fips_endpoint = true\n", stageKeys) },
			"use_fips_endpoint can't be had of the endpoint http://127.0.0.1", "switch use_fips_endpoint off"},
		"dual stack of an endpoint": {func(s *stage) { s.env.UseDualStack = "true"; s.files("", stageKeys) },
			"use_dualstack_endpoint can't be had of the endpoint http://127.0.0.1", "switch use_dualstack_endpoint off"},

		"keys that are unknown": {func(s *stage) {
			s.files("", stageKeys)
			s.refuse("GetCallerIdentity", "InvalidClientTokenId", "The security token included in the request is invalid.")
		}, "profile p: AWS does not know the access key", "deleted, inactive, or of another partition"},
		"a secret that does not fit": {func(s *stage) {
			s.files("", stageKeys)
			s.refuse("GetCallerIdentity", "SignatureDoesNotMatch", "The request signature we calculated does not match")
		}, "profile p: the secret key does not belong", "write both keys anew"},
		"a token that is refused": {func(s *stage) { s.files("", stageKeys); s.refuse("GetCallerIdentity", "InvalidToken", "") }, "profile p: AWS does not accept the session token", "malformed, or belongs to other keys"},
		"keys that ran out": {func(s *stage) { s.files("", stageKeys); s.refuse("GetCallerIdentity", "ExpiredToken", "") },
			"profile p: the credentials have expired", "write new keys and their aws_session_token"},
		"variables that ran out": {func(s *stage) {
			s.env.Profile, s.env.AccessKeyID, s.env.SecretAccessKey, s.env.SessionToken = "", "ASIAPLANTED", "planted", "planted"
			s.refuse("GetCallerIdentity", "ExpiredToken", "")
		}, "AWS_ACCESS_KEY_ID: the credentials have expired", "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN anew"},
		"a clock that is wrong": {func(s *stage) {
			s.files("", stageKeys)
			s.refuse("GetCallerIdentity", "SignatureDoesNotMatch", "Signature expired: 20200101T000000Z is now earlier than 20200101T010000Z")
		}, "this machine's clock is wrong", "set the clock"},
		"a region that is not enabled": {func(s *stage) {
			s.files("", stageKeys)
			s.refuse("GetCallerIdentity", "RegionDisabledException", "STS is not activated in this region")
		}, "the region is not enabled", "enable it in the account's settings, or leave it out"},
		"too many calls": {func(s *stage) { s.files("", stageKeys); s.refuse("GetCallerIdentity", "Throttling", "Rate exceeded") }, "limits the rate", "wait a little"},

		"a role that is denied": {func(s *stage) {
			s.files(stageRole, stageSource)
			s.refuse("AssumeRole", "AccessDenied", "User: arn:aws:iam::123456789012:user/me is not authorized to perform: sts:AssumeRole")
		}, "profile p: AWS does not let these credentials assume the role: User: arn:aws:iam::123456789012:user/me", "ask whoever owns the role to trust the caller"},
		"a role that makes no sense": {func(s *stage) {
			s.files(stageRole, stageSource)
			s.refuse("AssumeRole", "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration")
		}, "AWS refuses what the profile says of the role: The requested DurationSeconds", "correct role_arn, role_session_name"},
		"a role over unknown keys": {func(s *stage) { s.files(stageRole, stageSource); s.refuse("AssumeRole", "InvalidClientTokenId", "") },
			"profile q: AWS does not know the access key", "deleted, inactive, or of another partition"},
		"a role over keys that ran out": {func(s *stage) { s.files(stageRole, stageSource); s.refuse("AssumeRole", "ExpiredToken", "") },
			"profile q: the credentials have expired", "write new keys and their aws_session_token"},
		"a role of another partition": {func(s *stage) {
			s.files(strings.Replace(stageRole, "arn:aws:", "arn:aws-cn:", 1), stageSource)
			s.env.EndpointURL = ""
		}, "of the partition aws-cn, and the region us-west-2 is of aws", "a region of aws-cn"},
		"a role without a source": {func(s *stage) { s.files("[profile p]\nrole_arn = arn:aws:iam::123456789012:role/r\n", "") }, "nothing to assume the role with", "add source_profile"},
		"a role in a circle": {func(s *stage) {
			s.files(stageRole+strings.NewReplacer("profile p", "profile q", "= q", "= p").Replace(stageRole), "")
		}, "in a circle: p -> q -> p", "let one of them name a profile"},
		"a role that needs MFA": {func(s *stage) { s.files(stageRole+"mfa_serial = arn:aws:iam::123456789012:mfa/me\n", stageSource) }, "needs MFA", "use a profile without mfa_serial"},
		"a role of the machine": {func(s *stage) {
			s.files("[profile p]\nrole_arn = arn:aws:iam::123456789012:role/r\ncredential_source = Ec2InstanceMetadata\n", "")
		}, "from the machine", "use a profile with source_profile, SSO or keys"},

		"a web identity without its token": {func(s *stage) { s.web(); os.Remove(filepath.Join(s.env.Home, "token")) }, "the file is not there", "have the token issued, or correct"},
		"a web identity that ran out": {func(s *stage) {
			s.web()
			s.refuse("AssumeRoleWithWebIdentity", "ExpiredTokenException", "Token expired")
		},
			"the token of the identity provider has expired", "have it issued anew"},
		"a web identity of a stranger": {func(s *stage) {
			s.web()
			s.refuse("AssumeRoleWithWebIdentity", "InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://x.example")
		}, "AWS does not accept the token of the identity provider: No OpenIDConnect", "check the role's trust in the provider"},
		"a web identity that is not trusted": {func(s *stage) {
			s.web()
			s.refuse("AssumeRoleWithWebIdentity", "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
		}, "the role does not trust the token", "its provider, and what it wants of audience and subject"},

		"SSO without a login": {func(s *stage) { s.files(stageSSO, "") }, "nobody has logged in for profile p", "run: aws sso login --profile p"},
		"SSO that can't be read": {func(s *stage) {
			s.sso(0)
			sum := sha1.Sum([]byte("corp"))
			write(s.t, filepath.Join(s.env.Home, ".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json"), "{planted")
		}, "can't be read from its file", "run: aws sso login --profile p"},
		"SSO that ran out": {func(s *stage) {
			s.sso(-time.Hour)
			s.refusePath("/token", 400, "InvalidGrantException", `{"error":"invalid_grant"}`)
		}, "the login of profile p has expired", "run: aws sso login --profile p"},
		"SSO that was ended": {func(s *stage) {
			s.sso(time.Hour)
			s.refusePath("/federation", 401, "UnauthorizedException", `{"message":"Session token not found or invalid"}`)
		}, "the login of profile p has expired", "run: aws sso login --profile p"},
		"SSO without the role": {func(s *stage) {
			s.sso(time.Hour)
			s.refusePath("/federation", 403, "ForbiddenException", `{"message":"No access"}`)
		}, "the identity provider does not give this login the role of the profile: No access", "check the account and role in the profile"},
		"SSO that lacks something": {func(s *stage) { s.files("[profile p]\nsso_account_id = 1\n", "") }, "lacks sso_role_name, sso_start_url, sso_region", "run: aws configure sso --profile p"},
		"SSO out of reach": {func(s *stage) { s.sso(time.Hour); s.env.ServiceEndpoints = map[string]string{"sso": closedPort(s.t)} },
			"the connection was refused", "check the endpoint, and whether it runs"},

		"no login": {func(s *stage) { s.files("[profile p]\nlogin_session = "+stageLogin+"\n", "") }, "nobody has logged in for profile p", "run: aws login --profile p"},
		"a login that ran out": {func(s *stage) {
			s.login()
			s.refusePath("/v1/token", 400, "AccessDeniedException", `{"error":"TOKEN_EXPIRED","message":"x"}`)
		}, "the login of profile p has expired", "run: aws login --profile p"},
		"a login with a new password": {func(s *stage) {
			s.login()
			s.refusePath("/v1/token", 400, "AccessDeniedException", `{"error":"USER_CREDENTIALS_CHANGED","message":"x"}`)
		}, "since its password was changed", "run: aws login --profile p"},
		"a login that may not be renewed": {func(s *stage) {
			s.login()
			s.refusePath("/v1/token", 400, "AccessDeniedException", `{"error":"INSUFFICIENT_PERMISSIONS","message":"x"}`)
		}, "may not be renewed", "allow signin:CreateOAuth2Token"},

		"a process that is not there": {func(s *stage) { s.files("[profile p]\ncredential_process = planted-program\n", "") }, "was not found in", "write the full path"},
		"a process that fails":        {func(s *stage) { s.files("[profile p]\ncredential_process = sh -c 'exit 7'\n", "") }, "exit code 7", "run the command by hand"},

		"a closed port": {func(s *stage) { s.files("", stageKeys); s.env.EndpointURL = closedPort(s.t) }, "127.0.0.1", "check the endpoint, and whether it runs"},
		"a name that nobody has": {func(s *stage) {
			s.files("", stageKeys)
			s.env.EndpointURL, s.cfg.Endpoints = "http://nowhere.invalid", []string{"http://nowhere.invalid"}
		}, "the name nowhere.invalid does not resolve", "check the network and the name of the region"},
		"an authority that nobody knows": {func(s *stage) {
			s.files("", stageKeys)
			tls := httptest.NewTLSServer(s.fakeAWS)
			s.t.Cleanup(tls.Close)
			s.env.EndpointURL = tls.URL
		}, "its certificate is not trusted", "set AWS_CA_BUNDLE to its authority"},
		"a server without TLS": {func(s *stage) {
			s.files("", stageKeys)
			s.env.EndpointURL = strings.Replace(s.URL, "http:", "https:", 1)
		}, "it does not speak TLS", "write the endpoint with http://"},
		"a proxy that refuses": {func(s *stage) {
			s.files("", stageKeys)
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) }))
			s.t.Cleanup(proxy.Close)
			s.cfg.HTTPSProxy, s.env.EndpointURL, s.cfg.Endpoints = proxy.URL, "https://aws.invalid", []string{"https://aws.invalid"}
		}, "the proxy answers with HTTP status 407", "check aws.https_proxy in config.yaml"},
		"a proxy that is away": {func(s *stage) {
			s.files("", stageKeys)
			s.cfg.HTTPSProxy, s.env.EndpointURL, s.cfg.Endpoints = closedPort(s.t), "https://aws.invalid", []string{"https://aws.invalid"}
		}, "the proxy can't be reached", "check aws.https_proxy in config.yaml"},
		"a proxy that does not count": {func(s *stage) {
			s.files("", stageKeys)
			s.env.EndpointURL, s.cfg.Endpoints, s.env.Ignored = "https://nowhere.invalid", []string{"https://nowhere.invalid"}, []string{"https_proxy"}
		}, "the name nowhere.invalid does not resolve", "https_proxy is set and does not count here"},
		"a page to sign in": {func(s *stage) {
			s.files("", stageKeys)
			s.answer(func(w http.ResponseWriter, _ string, _ *http.Request) bool {
				fmt.Fprint(w, "<html>sign in</html>")
				return true
			})
		}, "an answer came that is not AWS's", "sign in where the network asks for it"},
	}
	for name, c := range reasons {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			s := &stage{fakeAWS: newFakeAWS(t), t: t}
			s.env = session.Environment{
				Home: home, Profile: "p", Region: "us-west-2", EndpointURL: s.URL,
				ConfigFile: filepath.Join(home, ".aws", "config"), CredentialsFile: filepath.Join(home, ".aws", "credentials"),
			}
			c.make(s)
			h := newHome(t, s.cfg)
			for what, ask := range map[string]func() error{
				"scan":     func() error { _, err := h.scan(within(t, time.Minute), s.env, scanner.Options{}, nil); return err },
				"doctor":   func() error { return h.asked(within(t, time.Minute), s.env, (*session.Session).Ask) },
				"identity": func() error { _, err := h.identity(within(t, time.Minute), s.env, ""); return err },
				"run":      func() error { return h.asked(within(t, time.Minute), s.env, (*session.Session).IdentityNow) },
			} {
				err := ask()
				if err == nil {
					t.Errorf("%s: nothing is wrong", what)
					continue
				}
				p := session.Explain(err)
				if !strings.Contains(p.Message, c.says) || !strings.Contains(p.Hint, c.advice) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s: %q; %q\nwant %q; %q", what, p.Message, p.Hint, c.says, c.advice)
				}
				for other, o := range reasons {
					if o.advice != c.advice && strings.Contains(p.Hint, o.advice) && !strings.Contains(c.advice, o.advice) && name != "a proxy that does not count" {
						t.Errorf("%s: the advice is that of %s: %q", what, other, p.Hint)
					}
				}
				if strings.Contains(err.Error()+p.Message+p.Hint, "lanted") && name != "a process that is not there" {
					t.Errorf("%s shows a secret: %v", what, err)
				}
			}
		})
	}
}

// closedPort is where nobody answers.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}
