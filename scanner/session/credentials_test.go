package session

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A profile by which nobody can get credentials is refused before anybody is
// asked, at the line that is wrong and with what to do; what looks like it and
// is in order passes.
func TestAProfileThatLeadsNowhereIsRefusedAtItsLine(t *testing.T) {
	const (
		role = "role_arn = arn:aws:iam::123456789012:role/r\n"
		keys = "aws_access_key_id = AKIAX\naws_secret_access_key = planted-secret\n"
		sso  = "[sso-session corp]\nsso_start_url = https://corp.example\nsso_region = us-east-1\n"
		base = "[profile base]\n" + keys
	)
	for name, c := range map[string]struct {
		config, credentials string
		spoil               func(t *testing.T, env *Environment)
		says                string // of the message or hint; "" where it is in order
		line                string // of the file, where it is said
	}{
		"keys":                    {"[profile p]\n" + keys, "", nil, "", ""},
		"half of the keys":        {"[profile p]\naws_access_key_id = AKIAX\n", "", nil, "aws_secret_access_key is missing", "config, line 2"},
		"the other half":          {"[profile p]\naws_secret_access_key = planted-secret\n", "", nil, "aws_access_key_id is missing", "config, line 2"},
		"halves in two files":     {"[profile p]\naws_secret_access_key = planted-secret\n", "[p]\naws_access_key_id = AKIAX\n", nil, "into the same file", "credentials, line 2"},
		"nothing":                 {"[profile p]\nregion = us-west-2\n", "", nil, "has no credentials", ""},
		"a role":                  {base + "[profile p]\n" + role + "source_profile = base\n", "", nil, "", ""},
		"a role by itself":        {"[profile p]\n" + role + "source_profile = p\n" + keys, "", nil, "", ""},
		"by itself without keys":  {"[profile p]\n" + role + "source_profile = p\n", "", nil, "p -> p", "config, line 3"},
		"in a circle":             {"[profile p]\n" + role + "source_profile = q\n[profile q]\n" + role + "source_profile = p\n", "", nil, "p -> q -> p", "config, line 6"},
		"in a circle further on":  {"[profile p]\n" + role + "source_profile = q\n[profile q]\n" + role + "source_profile = s\n[profile s]\n" + role + "source_profile = q\n", "", nil, "p -> q -> s -> q", "config, line 9"},
		"a role without a source": {"[profile p]\n" + role, "", nil, "nothing to assume the role with", "config, line 2"},
		"no such source":          {"[profile p]\n" + role + "source_profile = q\n", "", nil, `"q", which there is not`, "config, line 3"},
		"an empty role":           {base + "[profile p]\nrole_arn =\nsource_profile = base\n", "", nil, "empty role_arn", "config, line 5"},
		"two sources":             {base + "[profile p]\n" + role + "source_profile = base\ncredential_source = Environment\n", "", nil, "both source_profile and credential_source", "config, line 7"},
		"MFA":                     {base + "[profile p]\n" + role + "source_profile = base\nmfa_serial = arn:aws:iam::1:mfa/me\n", "", nil, "needs MFA", "config, line 7"},
		"MFA and no source":       {"[profile p]\n" + role + "source_profile = q\nmfa_serial = arn:aws:iam::1:mfa/me\n", "", nil, "which there is not", "config, line 3"},
		"the machine":             {"[profile p]\n" + role + "credential_source = Ec2InstanceMetadata\n", "", nil, "from the machine", "config, line 3"},
		"no variables":            {"[profile p]\n" + role + "credential_source = Environment\n", "", nil, "from variables", "config, line 3"},
		"half of the variables":   {"[profile p]\n" + role + "credential_source = Environment\n", "", func(_ *testing.T, env *Environment) { env.AccessKeyID = "AKIAX" }, "from variables", "config, line 3"},
		"variables": {"[profile p]\n" + role + "credential_source = Environment\n", "", func(_ *testing.T, env *Environment) {
			env.AccessKeyID, env.SecretAccessKey = "AKIAX", "planted-secret"
		}, "", ""},
		"another partition": {base + "[profile p]\nregion = cn-north-1\n" + role + "source_profile = base\n", "", nil, "a region of aws,", ""},
		"another partition below": {base + "[profile mid]\n" + role + "source_profile = base\n[profile p]\nregion = cn-north-1\nrole_arn = arn:aws-cn:iam::1:role/r\nsource_profile = mid\n", "", nil,
			"the role of profile mid", ""},
		"another partition, elsewhere": {base + "[profile p]\nregion = cn-north-1\nendpoint_url = http://127.0.0.1:1\n" + role + "source_profile = base\n", "", nil, "", ""},
		"a token":                      {"[profile p]\n" + role + "web_identity_token_file = TOKEN\n", "", func(t *testing.T, env *Environment) { token(t, env, 0o600) }, "", ""},
		"no token":                     {"[profile p]\n" + role + "web_identity_token_file = /nonexistent/token\n", "", nil, "has no web identity token", "config, line 3"},
		"a token and no role":          {"[profile p]\nweb_identity_token_file = /nonexistent/token\n", "", nil, "no role_arn", "config, line 2"},
		"a token of anybody's":         {"[profile p]\n" + role + "web_identity_token_file = TOKEN\n", "", func(t *testing.T, env *Environment) { token(t, env, 0o666) }, "token of profile p can't be used", ""},
		"a login":                      {sso + "[profile p]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = r\n", "", nil, "", ""},
		"a login of the same region":   {sso + "[profile p]\nsso_session = corp\nsso_region = us-east-1\nsso_account_id = 1\nsso_role_name = r\n", "", nil, "", ""},
		"a login of another region":    {sso + "[profile p]\nsso_session = corp\nsso_region = us-east-2\nsso_account_id = 1\nsso_role_name = r\n", "", nil, "another sso_region than its sso_session", "config, line 6"},
		"no such login":                {"[profile p]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = r\n", "", nil, "sso_session that there is not", "config, line 2"},
		"a login for nobody":           {sso + "[profile p]\nsso_session = corp\nsso_account_id = 1\n", "", nil, "lacks sso_role_name", ""},
		"a login of no account":        {sso + "[profile p]\nsso_session = corp\nsso_role_name = r\n", "", nil, "lacks sso_account_id", ""},
		"a login by address alone":     {"[profile p]\nsso_start_url = https://corp.example\n", "", nil, "lacks sso_account_id, sso_role_name, sso_region", ""},
		"a login by its name alone":    {sso + "[profile p]\nsso_session = corp\n", "", nil, "lacks sso_account_id, sso_role_name", ""},
		"a login for less":             {"[profile p]\nsso_account_id = 1\n", "", nil, "lacks sso_role_name, sso_start_url, sso_region", ""},
		"a login in no region":         {"[profile p]\nsso_start_url = https://corp.example\nsso_region = evil.example\nsso_account_id = 1\nsso_role_name = r\n", "", nil, "the sso_region of profile p", "config, line 3"},
	} {
		t.Run(name, func(t *testing.T) {
			env := session(t, c.config, c.credentials)
			env.Home, env.Region = filepath.Dir(env.ConfigFile), ""
			if c.spoil != nil {
				c.spoil(t, &env)
			}
			_, err := bare().Client(env).Open("p", "")
			if c.says == "" {
				if err != nil {
					t.Errorf("%v, want it in order", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.line) || strings.Contains(err.Error(), "planted") || Explain(err).Hint == "" {
				t.Errorf("%v, want %q at %s and what to do", err, c.says, c.line)
			}
			if !errors.Is(err, ErrNoCredentials) && !errors.Is(err, ErrSettings) {
				t.Errorf("%v is neither of credentials nor of settings", err)
			}
		})
	}
}

// token makes a token's file, and has the profile name it.
func token(t *testing.T, env *Environment, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	chmod(t, path, mode)
	config, err := os.ReadFile(env.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(env.ConfigFile, []byte(strings.ReplaceAll(string(config), "TOKEN", path)), 0o600); err != nil {
		t.Fatal(err)
	}
}
