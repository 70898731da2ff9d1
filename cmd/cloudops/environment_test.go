package main

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/cloudops/cloudops/scanner/session"
)

// What this process's variables say is taken as the AWS CLI takes it.
func TestVariablesAreReadAsTheAWSCLIReadsThem(t *testing.T) {
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(home, "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for name := range maps.Keys(session.EndpointVariables()) {
		unset(t, name)
	}
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") || strings.HasSuffix(strings.ToUpper(name), "_PROXY") {
			unset(t, name)
		}
	}
	t.Chdir(folder)
	t.Setenv("HOME", home)
	cloudops := filepath.Join(home, ".cloudops")
	if err := os.Mkdir(cloudops, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := rememberProfile(cloudops, "remembered"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		variables map[string]string
		want      session.Environment
	}{
		{"nothing", nil, session.Environment{Profile: "remembered"}},
		{"a profile", map[string]string{"AWS_PROFILE": "p", "AWS_DEFAULT_PROFILE": "q", "AWS_DEFAULT_REGION": "eu-west-1"},
			session.Environment{Profile: "p", Region: "eu-west-1", RegionVariable: "AWS_DEFAULT_REGION"}},
		{"keys", map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c"},
			session.Environment{AccessKeyID: "a", SecretAccessKey: "b", SessionToken: "c"}},
		{"keys beside a profile", map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_PROFILE": "p"},
			session.Environment{AccessKeyID: "a", SecretAccessKey: "b", SettingsProfile: "p"}},
		{"half of the keys", map[string]string{"AWS_SECRET_ACCESS_KEY": "b"}, session.Environment{Profile: "remembered", SecretAccessKey: "b"}},
		{"empty variables", map[string]string{"AWS_PROFILE": "", "AWS_REGION": "", "AWS_ACCESS_KEY_ID": "", "AWS_ENDPOINT_URL_S3": "", "HTTPS_PROXY": ""},
			session.Environment{Profile: "remembered"}},
		{"no files", map[string]string{"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": ""},
			session.Environment{Profile: "remembered", ConfigFile: "/dev/null", CredentialsFile: "/dev/null"}},
		{"files from here and from home", map[string]string{"AWS_CONFIG_FILE": "../config", "AWS_SHARED_CREDENTIALS_FILE": "~/credentials"},
			session.Environment{Profile: "remembered", ConfigFile: filepath.Join(home, "config"), CredentialsFile: filepath.Join(home, "credentials")}},
		{"files with variables", map[string]string{"AWS_CONFIG_FILE": "${HOME}/config", "AWS_SHARED_CREDENTIALS_FILE": "$HOME/credentials"},
			session.Environment{Profile: "remembered", ConfigFile: filepath.Join(home, "config"), CredentialsFile: filepath.Join(home, "credentials")}},
		{"endpoints", map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_S3": "x", "AWS_ENDPOINT_URL_SSO_OIDC": "y", "AWS_ENDPOINT_URL_DYNAMODB": "z",
			"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_USE_FIPS_ENDPOINT": "false", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
			session.Environment{Profile: "remembered", EndpointURL: "http://127.0.0.1:1", ServiceEndpoints: map[string]string{"s3": "x", "sso_oidc": "y"},
				IgnoreEndpoints: "true", UseFIPS: "false", UseDualStack: "true"}},
		{"what does not count", map[string]string{"HTTPS_PROXY": "http://user:secret@proxy", "all_proxy": "x", "HTTP_PROXY": "y", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "z"},
			session.Environment{Profile: "remembered", Ignored: []string{"HTTPS_PROXY", "all_proxy", "AWS_CONTAINER_CREDENTIALS_FULL_URI"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, value := range c.variables {
				t.Setenv(name, value)
			}
			c.want.Home = home
			if c.want.ServiceEndpoints == nil {
				c.want.ServiceEndpoints = map[string]string{}
			}
			got := environment(config{home: cloudops})
			got.Workspaces = nil // of the folder above, wherever the test runs
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("\n got %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func unset(t *testing.T, name string) {
	t.Helper()
	t.Setenv(name, "") // so that it is set again after the test
	if err := os.Unsetenv(name); err != nil {
		t.Fatal(err)
	}
}
