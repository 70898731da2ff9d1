package scanner

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// session writes shared files and returns the environment that names them.
func session(t *testing.T, config, credentials string) Environment {
	t.Helper()
	dir := t.TempDir()
	env := Environment{ConfigFile: filepath.Join(dir, "config"), CredentialsFile: filepath.Join(dir, "credentials")}
	for path, content := range map[string]string{env.ConfigFile: config, env.CredentialsFile: credentials} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return env
}

func bare() *Scanner {
	return &Scanner{ledger: &ledger{accounts: map[string]*account{}, shards: map[Shard]ShardState{}}, accesses: map[accessKey]*access{}}
}

func TestProfilesTellHowEachGetsCredentials(t *testing.T) {
	env := session(t, `
# a comment
[default]
region = us-west-2
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = dev
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = us-east-1
[profile old-sso]
sso_start_url = https://corp.awsapps.com/start
[profile role]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = default
mfa_serial = arn:aws:iam::123456789012:mfa/me
s3 =
  max_concurrent_requests = 20
  addressing_style = path
[profile web]
role_arn = arn:aws:iam::123456789012:role/r
web_identity_token_file = /tmp/token
[profile proc]
credential_process = /opt/bin/creds "with space" # and more
[profile "two words"]
region = eu-west-1
[services local]
s3 =
  endpoint_url = http://127.0.0.1:9000
[plugins]
x = y
`, `
[default]
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = abc/def+ghi=#;x
[only-keys]
aws_access_key_id=AKIAEXAMPLE
aws_secret_access_key=x
`)
	env.Profile = "sso"
	list, err := bare().Profiles(env)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, p := range list {
		s := p.Name + " " + p.Kind
		if p.MFA {
			s += " mfa"
		}
		if p.Selected {
			s += " selected"
		}
		got = append(got, s)
	}
	want := "default keys, old-sso sso, only-keys keys, proc process, role role mfa, sso sso selected, two words none, web web-identity"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("profiles:\n got %s\nwant %s", s, want)
	}
	if list[0].Region != "us-west-2" {
		t.Errorf("the region of default is %q", list[0].Region)
	}

	env.Profile, env.AccessKeyID, env.SecretAccessKey = "", "AKIAEXAMPLE", "x"
	list, err = bare().Profiles(env)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if p.Selected != (p.Name == "environment") {
			t.Errorf("with keys in the environment, %q selected is %v", p.Name, p.Selected)
		}
	}
}

func TestMalformedFileIsNamedByLineWithoutContent(t *testing.T) {
	env := session(t, "[default]\nregion = us-west-2\n", "[default]\naws_access_key_id = AKIAEXAMPLE\nwJalrXUtnFEMIsecret\n")
	_, err := bare().Profiles(env)
	if err == nil {
		t.Fatal("a malformed file was accepted")
	}
	if !strings.Contains(err.Error(), "line 3") || !strings.Contains(err.Error(), env.CredentialsFile) {
		t.Errorf("%v: want the file and line 3", err)
	}
	if strings.Contains(err.Error(), "wJalr") {
		t.Errorf("the error holds the line: %v", err)
	}
	if p := Explain(err); p.Code != "profile" || p.Hint == "" {
		t.Errorf("explained as %+v", p)
	}
}

func TestMissingFilesAreNoProfiles(t *testing.T) {
	list, err := bare().Profiles(Environment{Home: t.TempDir()})
	if err != nil || len(list) != 0 {
		t.Errorf("without files: %v %v", list, err)
	}
	_, err = bare().access(t.Context(), Environment{Home: t.TempDir()}, "")
	if !errors.Is(err, ErrNoCredentials) || !strings.Contains(err.Error(), "aws configure") {
		t.Errorf("using the default profile without files: %v", err)
	}
}

func FuzzSharedFile(f *testing.F) {
	for _, s := range []string{
		"[default]\nregion = x\n", "[profile a]\ns3 =\n  x = y\n", "x", "[", "[]", "[a]\n=\n", "[a]\nx = \"\"\"\n", "\xef\xbb\xbf[a]", "[a]\n\"x\n", "`\n[a]\nx=`y",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		sections, err := parseShared("file", content)
		if err != nil {
			if p := Explain(err); p.Code != codeProfile || !strings.Contains(p.Message, "at line ") {
				t.Errorf("explained as %+v", p)
			}
			return
		}
		for _, s := range sections {
			profileName(s.Name(), true)
		}
	})
}
