package session

import (
	"errors"
	"fmt"
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

func bare() *Manager {
	return NewManager(Config{}, NewAccounts("", nil, func() error { return nil }))
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
	list, err := bare().Client(env).Profiles()
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
	list, err = bare().Client(env).Profiles()
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
	_, err := bare().Client(env).Profiles()
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

func TestWhoNamesNoProfileIsToldWhichThereAre(t *testing.T) {
	env := session(t, "[profile dev]\nregion = x\n[profile 'Two Words']\nregion = x\n", "")
	for _, c := range []struct{ named, says string }{
		{"", "no profile is chosen, and none is called default"},
		{"prod", `"prod"`},
	} {
		env.Profile = c.named
		_, err := bare().access(env, "")
		if p := Explain(err); !strings.Contains(p.Message, c.says) || !strings.Contains(p.Hint, "Two Words, dev") || errors.Is(err, ErrUnknownProfile) != (c.named != "") {
			t.Errorf("%q: %v", c.named, err)
		}
	}
}

func TestNoCredentialsAtAllSaysWhatDoesNotCount(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "absent")
	for _, c := range []struct {
		env  Environment
		says []string
	}{
		{Environment{}, []string{"there are no AWS profiles and no keys"}},
		{Environment{ConfigFile: os.DevNull, CredentialsFile: os.DevNull}, []string{"there are no AWS profiles and no keys"}},
		{Environment{CredentialsFile: absent}, []string{"AWS_SHARED_CREDENTIALS_FILE names " + absent + ", which is not there"}},
		{Environment{SecretAccessKey: "x"}, []string{"AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID"}},
		{Environment{Ignored: []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "made-up"}}, []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI does not count"}},
	} {
		_, err := bare().access(c.env, "")
		for _, says := range c.says {
			if !errors.Is(err, ErrNoCredentials) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "made-up") {
				t.Errorf("%+v: %v, want %q", c.env, err, says)
			}
		}
	}
	_, err := bare().access(Environment{AccessKeyID: "AKIAENV"}, "")
	if !errors.Is(err, ErrNoCredentials) || !strings.Contains(err.Error(), "without AWS_SECRET_ACCESS_KEY") || strings.Contains(err.Error(), "--profile") {
		t.Errorf("half a pair of keys: %v", err)
	}
}

func TestMissingFilesAreNoProfiles(t *testing.T) {
	list, err := bare().Client(Environment{Home: t.TempDir()}).Profiles()
	if err != nil || len(list) != 0 {
		t.Errorf("without files: %v %v", list, err)
	}
	_, err = bare().access(Environment{Home: t.TempDir()}, "")
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
		sections, err := readINI("file", content)
		if err != nil {
			if p := Explain(err); p.Code != CodeProfile || !strings.Contains(p.Message, "the AWS file file is ") || p.Hint == "" {
				t.Errorf("explained as %+v", p)
			}
			return
		}
		for _, s := range sections {
			strictName(s.name)
			looseName(s.name)
			for name, value := range s.settings {
				if name != strings.ToLower(name) || value.line < 1 || value.line > len(content)+1 {
					t.Errorf("%q of %q: %+v", name, s.name, value)
				}
			}
		}
	})
}

// Of many profiles some are named, and the rest are counted.
func TestManyProfilesAreCounted(t *testing.T) {
	for n, c := range map[int]struct{ named, more string }{20: {"p20", ""}, 21: {"p20", "and 1 more"}, 25: {"p20", "and 5 more"}} {
		config := ""
		for i := range n {
			config += fmt.Sprintf("[profile p%02d]\nregion = us-west-2\n", i+1)
		}
		_, err := bare().Client(session(t, config, "")).Open("nobody", "")
		hint := Explain(err).Hint
		if !errors.Is(err, ErrUnknownProfile) || !strings.Contains(hint, c.named) || strings.Contains(hint, "p21") || !strings.Contains(hint, c.more) || strings.Contains(hint, "more") != (c.more != "") {
			t.Errorf("of %d: %v, want them to %s %q", n, err, c.named, c.more)
		}
	}
}
