package session

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckRefusesFilesThatOthersChose(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, env *Environment)
		want  string
	}{
		{"well", func(*testing.T, *Environment) {}, ""},
		{"absent", func(t *testing.T, env *Environment) { os.Remove(env.ConfigFile) }, ""},
		{"group-writable", func(t *testing.T, env *Environment) { chmod(t, env.CredentialsFile, 0o620) }, "chmod go-w"},
		{"world-writable", func(t *testing.T, env *Environment) { chmod(t, env.ConfigFile, 0o602) }, "chmod go-w"},
		{"open folder", func(t *testing.T, env *Environment) { chmod(t, filepath.Dir(env.ConfigFile), 0o777) }, "folder"},
		{"relative", func(t *testing.T, env *Environment) { env.ConfigFile = "config" }, "absolute"},
		{"a folder", func(t *testing.T, env *Environment) { env.ConfigFile = filepath.Dir(env.ConfigFile) }, "ordinary"},
		{"in a workspace", func(t *testing.T, env *Environment) { env.Workspaces = []string{filepath.Dir(env.ConfigFile)} }, "inside the workspace"},
		{"too large", func(t *testing.T, env *Environment) {
			if err := os.Truncate(env.ConfigFile, maxSharedFile+1); err != nil {
				t.Fatal(err)
			}
		}, "larger than 4 MiB"},
		{"links in a circle", func(t *testing.T, env *Environment) {
			os.Remove(env.ConfigFile)
			if err := os.Symlink(env.ConfigFile, env.ConfigFile); err != nil {
				t.Fatal(err)
			}
		}, "can't be reached"},
		{"another user's", func(t *testing.T, env *Environment) {
			if os.Getuid() != 0 {
				t.Skip("only root gives a file away")
			}
			if err := os.Chown(env.ConfigFile, 65534, 65534); err != nil {
				t.Fatal(err)
			}
		}, "belongs to another user"},
		{"open folder whose files stay", func(t *testing.T, env *Environment) {
			chmod(t, filepath.Dir(env.ConfigFile), 0o777|os.ModeSticky)
		}, ""},
		{"below the home directory", func(t *testing.T, env *Environment) {
			env.Home, env.ConfigFile = filepath.Dir(env.ConfigFile), "~/config"
			chmod(t, filepath.Join(env.Home, "config"), 0o602)
		}, "chmod go-w"},
		{"no CA bundle", func(t *testing.T, env *Environment) { env.CABundle = filepath.Join(t.TempDir(), "ca.pem") }, "correct AWS_CA_BUNDLE"},
		{"no file at all", func(t *testing.T, env *Environment) { env.ConfigFile, env.CredentialsFile = os.DevNull, os.DevNull }, ""},
		{"linked into a workspace", func(t *testing.T, env *Environment) {
			workspace := t.TempDir()
			evil := filepath.Join(workspace, "evil")
			if err := os.WriteFile(evil, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			os.Remove(env.ConfigFile)
			if err := os.Symlink(evil, env.ConfigFile); err != nil {
				t.Fatal(err)
			}
			env.Workspaces = []string{workspace}
		}, "inside the workspace"},
		{"in a hidden folder of a workspace", func(t *testing.T, env *Environment) {
			workspace := t.TempDir()
			env.ConfigFile, env.Workspaces = filepath.Join(workspace, "..hidden", "config"), []string{workspace}
			plant(t, env.ConfigFile)
		}, "inside the workspace"},
		{"beside a workspace", func(t *testing.T, env *Environment) {
			env.Workspaces = []string{filepath.Dir(env.ConfigFile) + "-other", filepath.Join(filepath.Dir(env.ConfigFile), "below")}
		}, ""},
		{"workspace by a link", func(t *testing.T, env *Environment) {
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(filepath.Dir(env.ConfigFile), link); err != nil {
				t.Fatal(err)
			}
			env.Workspaces = []string{link}
		}, "inside the workspace"},
		{"home set to a workspace", func(t *testing.T, env *Environment) {
			home := t.TempDir()
			if err := os.MkdirAll(filepath.Join(home, ".aws"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(home, ".aws", "config"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			*env = Environment{Home: home, Workspaces: []string{home}}
		}, "inside the workspace"},
		{"CA bundle in a workspace", func(t *testing.T, env *Environment) {
			workspace := t.TempDir()
			env.CABundle, env.Workspaces = filepath.Join(workspace, "ca.pem"), []string{workspace}
			if err := os.WriteFile(env.CABundle, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "inside the workspace"},
		{"region", func(t *testing.T, env *Environment) { env.Region = "evil.example/" }, "AWS_REGION is \"evil.example/\", which is not the name of a region"},
		{"older region", func(t *testing.T, env *Environment) { env.Region, env.RegionVariable = "x", "AWS_DEFAULT_REGION" }, "AWS_DEFAULT_REGION is \"x\""},
		{"a service's endpoint", func(t *testing.T, env *Environment) {
			env.ServiceEndpoints = map[string]string{"s3": "https://evil.example"}
		}, "AWS_ENDPOINT_URL_S3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := session(t, "[default]\nregion = us-west-2\n", "")
			c.spoil(t, &env)
			err := bare().Client(env).Check()
			if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// Of a file behind a link both names are said, and a way out that the person
// does not see in use already.
func TestARefusedLinkSaysWhereItLeads(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, target string) (path string)
		hint string
		says string
	}{
		{"the file is a link", func(t *testing.T, target string) string {
			link := filepath.Join(t.TempDir(), "config")
			if err := os.Symlink(target, link); err != nil {
				t.Fatal(err)
			}
			return link
		}, "cp --remove-destination", "config, a link to "},
		{"its folder is a link", func(t *testing.T, target string) string {
			link := filepath.Join(t.TempDir(), "aws")
			if err := os.Symlink(filepath.Dir(target), link); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(link, filepath.Base(target))
		}, "move it", "awsconfig, by a linked folder "},
	} {
		workspace := t.TempDir()
		target := filepath.Join(workspace, "awsconfig")
		if err := os.WriteFile(target, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		path := c.make(t, target)
		p := Explain(bare().Client(Environment{ConfigFile: path, Workspaces: []string{workspace}}).Check())
		if !strings.Contains(p.Message, path) || !strings.Contains(p.Message, c.says+target) || !strings.Contains(p.Hint, c.hint) {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
}

// What is wrong with a region is said with where it stands, and never a key
// that was put there by mistake.
func TestAWrongRegionIsFound(t *testing.T) {
	secret := "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	for _, c := range []struct {
		config, variable string
		says             string
		hint             string
	}{
		{"[profile p]\nregion = US-WEST-2\n", "", "the region of profile p (CONFIG, line 2) is \"US-WEST-2\"", "us-west-2"},
		{"[profile p]\noutput = json\nregion = us west 2\n", "", "the region of profile p (CONFIG, line 3)", "write it like"},
		{"[profile p]\nregion = us-west-2\n  output = json\n", "", "the region of profile p (CONFIG, line 2)", "write it like"},
		{"[DEFAULT]\nregion = nowhere\n[profile p]\n", "", "the region of profile p (CONFIG, line 2)", "write it like"},
		{"[profile p]\n", "us-west-2\r", `AWS_REGION is "us-west-2\r"`, "carriage return"},
		{"[profile p]\n", " us-west-2 ", `AWS_REGION is " us-west-2 "`, "blanks"},
		{"[profile p]\nregion = " + secret + "\n", "", "the region of profile p (CONFIG, line 2)", ""},
		{"[profile p]\n", secret, "AWS_REGION", ""},
		{"[profile p]\nregion = AKIAIOSFODNN7EXAMPLE\n", "", "the region of profile p (CONFIG, line 2)", ""},
		{"[profile p]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\nsso_start_url = https://x.example\nsso_region = evil.example/\n", "", "the sso_region of profile p (CONFIG, line 7)", ""},
		{"[profile p]\nregion = us-west-2 # the office's\n[profile q]\nregion = wrong\n", "", "", ""},
	} {
		env := session(t, c.config, "[p]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = x\n")
		if strings.Contains(c.config, "sso_session") {
			env.CredentialsFile = os.DevNull
		}
		env.Region = c.variable
		_, err := bare().access(env, "p")
		if c.says == "" {
			if err != nil {
				t.Errorf("%q: %v", c.config, err)
			}
			continue
		}
		p := Explain(err)
		says := strings.ReplaceAll(c.says, "CONFIG", env.ConfigFile)
		if !errors.Is(err, ErrSettings) || !strings.Contains(p.Message, says) || !strings.Contains(p.Hint, c.hint) || p.Hint == "" {
			t.Errorf("%q: %v, want %q", c.config+c.variable, err, says)
		}
		for _, key := range []string{secret, "AKIAIOSFODNN7EXAMPLE"} {
			if strings.Contains(err.Error(), key) {
				t.Errorf("a key is quoted: %v", err)
			}
		}
	}
}

// A cached login decides whose account is acted on, like a key does.
func TestALoginInAWorkspaceIsRefused(t *testing.T) {
	for profile, settings := range map[string]string{
		"session": "sso_session = corp\nsso_account_id = 123456789012\nsso_role_name = dev\n[sso-session corp]\nsso_start_url = https://corp.example\nsso_region = us-east-1\n",
		"url":     "sso_start_url = https://corp.example\nsso_region = us-east-1\nsso_account_id = 123456789012\nsso_role_name = dev\n",
		"login":   "login_session = arn:aws:iam::123456789012:user/me\n",
	} {
		env := session(t, "[profile "+profile+"]\n"+settings, "")
		env.Home = t.TempDir()
		if _, err := bare().access(env, profile); err != nil {
			t.Errorf("%s, without a login: %v", profile, err)
		}
		for _, name := range []string{"corp", "https://corp.example"} {
			sum := sha1.Sum([]byte(name))
			plant(t, filepath.Join(env.Home, ".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json"))
		}
		login := sha256.Sum256([]byte("arn:aws:iam::123456789012:user/me"))
		plant(t, filepath.Join(env.Home, ".aws", "login", "cache", hex.EncodeToString(login[:])+".json"))
		if _, err := bare().access(env, profile); err != nil {
			t.Errorf("%s, with a login of the user's: %v", profile, err)
		}
		env.Workspaces = []string{env.Home}
		if _, err := bare().access(env, profile); !errors.Is(err, ErrNoCredentials) || !strings.Contains(err.Error(), "inside the workspace") {
			t.Errorf("%s, with a login in a workspace: %v", profile, err)
		}
	}
}

func plant(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestEndpointsAreAWSLoopbackOrNamed(t *testing.T) {
	s := bare()
	s.config.Endpoints = []string{"http://moto:5000"}
	for _, c := range []struct{ url, want string }{
		{"http://127.0.0.1:4566", "http://127.0.0.1:4566"},
		{"http://LOCALHOST:4566/", "http://localhost:4566"},
		{"http://[::1]:4566", "http://[::1]:4566"},
		{"https://127.8.8.8:443", "https://127.8.8.8"},
		{"http://moto:5000", "http://moto:5000"},
		{"https://ec2.us-west-2.amazonaws.com", "https://ec2.us-west-2.amazonaws.com"},
		{"https://s3.dualstack.eu-west-1.amazonaws.com", "https://s3.dualstack.eu-west-1.amazonaws.com"},
		{"https://sts.amazonaws.com", "https://sts.amazonaws.com"},
		{"https://rds.cn-north-1.amazonaws.com.cn", "https://rds.cn-north-1.amazonaws.com.cn"},
		// What a customer of AWS can have as a host name.
		{"https://x.execute-api.us-east-1.amazonaws.com", ""},
		{"https://ec2-1-2-3-4.us-west-2.compute.amazonaws.com", ""},
		{"https://sts.s3.us-west-2.amazonaws.com", ""},
		{"https://s3.us-west-2.amazonaws.com.evil.example", ""},
		{"https://evil.example", ""},
		{"http://ec2.us-west-2.amazonaws.com", ""},
		{"http://moto:5001", ""},
		{"https://moto:5000", ""},
		{"http://127.0.0.1.evil.example", ""},
		{"http://user:secret@127.0.0.1", ""},
		{"http://127.0.0.1?x=y", ""},
		{"ftp://127.0.0.1", ""},
		{"127.0.0.1:4566", ""},
		{"http://", ""},
		{"http://%zz", ""},
	} {
		got, err := s.config.endpoint(c.url, "AWS_ENDPOINT_URL")
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q %v, want %q", c.url, got, err, c.want)
		}
		if err != nil && (!errors.Is(err, ErrEndpoint) || Explain(err).Code != "endpoint" || Explain(err).Hint == "" || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: %v explained as %+v", c.url, err, Explain(err))
		}
		if check := s.Client(Environment{EndpointURL: c.url}).Check(); (check == nil) != (err == nil) {
			t.Errorf("%s: Check says %v", c.url, check)
		}
	}
}
