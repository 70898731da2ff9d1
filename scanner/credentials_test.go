package scanner_test

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/scanner/awstest"
	"github.com/cloudops/cloudops/scanner/session"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestARoleIsAssumedAndSeesWhatItMay(t *testing.T) {
	e := seeded(t)
	client := iam.NewFromConfig(e.Config(awstest.West))
	role := "arn:aws:iam::" + awstest.ProdAccount + ":role/reader"
	if _, err := client.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("reader"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*"}}]}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("reader"), PolicyName: aws.String("p"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}]}`)}); err != nil {
		t.Fatal(err)
	}
	appendTo(t, e.ConfigFile, "[profile reader]\nrole_arn = "+role+"\nsource_profile = prod\nregion = us-west-2\n")
	h := newHome(t, scanner.Config{})
	env := e.Environment("reader", "")
	if _, known := h.Sessions.Client(env).Known(awstest.ProdAccount); known {
		t.Error("an identity is known before AWS was asked")
	}
	r := mustScan(t, h, env, scanner.Options{Regions: []string{awstest.West}})
	if r.Resources != 4 || len(r.Problems) != 3 {
		t.Errorf("%+v, want the four instances, and RDS twice and S3 denied", r)
	}
	for _, p := range r.Problems {
		if p.Code != "denied" || !strings.Contains(p.Hint, "to profile reader") {
			t.Errorf("problem: %+v", p)
		}
	}
	id, known := h.Sessions.Client(env).Known(awstest.ProdAccount)
	if !known || !strings.HasSuffix(id.ARN, ":assumed-role/reader/cloudops") || id.Source != "AssumeRoleProvider" || time.Until(id.Expires) < time.Minute {
		t.Errorf("the caller is %+v", id)
	}
	// Another session is of that account too, and nobody asked for it yet.
	if _, known := h.Sessions.Client(e.Environment("prod", "http://127.0.0.1:1")).Known(awstest.ProdAccount); known {
		t.Error("one session's identity is taken for another's")
	}
}

// What a profile says of its role reaches STS: each step of a chain with its
// own words, signed with the keys of the step below.
func TestARoleIsAskedForAsTheProfileSays(t *testing.T) {
	f := newFakeAWS(t)
	h := newHome(t, scanner.Config{})
	env := f.environment(t)
	env.Profile, env.ConfigFile = "top", filepath.Join(filepath.Dir(env.CredentialsFile), "config")
	write(t, env.ConfigFile, `[profile top]
role_arn = arn:aws:iam::222233334444:role/top
source_profile = middle
external_id = outer-secret
role_session_name = me
duration_seconds = 900
[profile middle]
role_arn = arn:aws:iam::111122223333:role/middle
source_profile = default
external_id = inner=secret # the one of March
[profile plain]
role_arn = arn:aws:iam::111122223333:role/plain
source_profile = default
`)
	var asked []string
	f.answer(func(w http.ResponseWriter, operation string, r *http.Request) bool {
		if operation != "AssumeRole" {
			return false
		}
		_, key, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		key, _, _ = strings.Cut(key, "/")
		_, role, _ := strings.Cut(r.FormValue("RoleArn"), "role/")
		asked = append(asked, strings.Join([]string{key, role, r.FormValue("ExternalId"), r.FormValue("RoleSessionName"), r.FormValue("DurationSeconds")}, " "))
		fmt.Fprintf(w, "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>x</SecretAccessKey><SessionToken>t</SessionToken>"+
			"<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>", strings.ToUpper(role))
		return true
	})
	for profile, want := range map[string]string{
		"top":   "AKIAFAKE middle inner=secret cloudops 3600, MIDDLE top outer-secret me 900",
		"plain": "AKIAFAKE plain  cloudops 3600",
	} {
		asked = nil
		id, err := h.identity(within(t, time.Minute), env, profile)
		if got := strings.Join(asked, ", "); err != nil || got != want || id.Source != "AssumeRoleProvider" {
			t.Errorf("%s: STS was asked %q, want %q (%+v %v)", profile, got, want, id, err)
		}
	}
}

func TestAWebIdentityIsTradedForARole(t *testing.T) {
	f := newFakeAWS(t)
	h := newHome(t, scanner.Config{})
	env := f.environment(t)
	env.Profile, env.ConfigFile = "web", filepath.Join(filepath.Dir(env.CredentialsFile), "config")
	token := filepath.Join(t.TempDir(), "token")
	write(t, token, fakeToken)
	write(t, env.ConfigFile, "[profile web]\nrole_arn = arn:aws:iam::"+fakeAccount+":role/reader\nweb_identity_token_file = "+token+"\n")
	id, err := h.identity(within(t, time.Minute), env, "")
	if err != nil || id.Source != "WebIdentityCredentials" || time.Until(id.Expires) < time.Minute {
		t.Errorf("%+v %v", id, err)
	}
	env.Workspaces = []string{filepath.Dir(token)}
	if _, err := h.identity(within(t, time.Minute), env, ""); !errors.Is(err, session.ErrNoCredentials) || !strings.Contains(err.Error(), "workspace") {
		t.Errorf("with the token in a workspace: %v", err)
	}
}

func TestALoginThatExpiredSaysHowToRenewIt(t *testing.T) {
	dir := t.TempDir()
	env := session.Environment{Home: dir, Profile: "corp"}
	write(t, filepath.Join(dir, ".aws", "config"), "[profile corp]\nsso_start_url = https://corp.example\nsso_region = us-east-1\nsso_account_id = 123456789012\nsso_role_name = dev\n")
	sum := sha1.Sum([]byte("https://corp.example"))
	write(t, filepath.Join(dir, ".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json"),
		`{"accessToken":"planted-sso-token","expiresAt":"2020-01-01T00:00:00Z"}`)
	h := newHome(t, scanner.Config{})
	_, err := h.identity(within(t, time.Minute), env, "")
	if !errors.Is(err, session.ErrNoCredentials) || !strings.Contains(err.Error(), "aws sso login --profile corp") || strings.Contains(err.Error(), "planted") {
		t.Errorf("%v", err)
	}
}

func TestCredentialProcesses(t *testing.T) {
	f := newFakeAWS(t)
	h := newHome(t, scanner.Config{})
	env := f.environment(t)
	dir := filepath.Dir(env.CredentialsFile)
	env.ConfigFile = filepath.Join(dir, "config")
	t.Setenv("CLOUDOPS_KEY", "planted-key")
	printed := `{"Version":1,"AccessKeyId":"AKIAPLANTED","SecretAccessKey":"planted-secret"`
	write(t, env.ConfigFile, fmt.Sprintf(`
[profile good]
credential_process = sh -c "env > %[1]s/variables; echo '%[2]s}'"
[profile wrong]
credential_process = sh -c "echo '%[2]s'; echo planted-secret >&2"
[profile fails]
credential_process = sh -c "echo planted-secret >&2; exit 3"
`, dir, strings.ReplaceAll(printed, `"`, `\"`)))

	stderr := os.Stderr
	defer func() { os.Stderr = stderr }()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	os.Stderr = log

	if id, err := h.identity(within(t, time.Minute), env, "good"); err != nil || id.Source != "ProcessProvider" {
		t.Errorf("%+v %v", id, err)
	}
	if variables, err := os.ReadFile(filepath.Join(dir, "variables")); err != nil || strings.Contains(string(variables), "planted") || !strings.Contains(string(variables), "PATH=") {
		t.Errorf("the process got %s %v", variables, err)
	}
	for _, profile := range []string{"wrong", "fails"} {
		_, err := h.identity(within(t, time.Minute), env, profile)
		if !errors.Is(err, session.ErrNoCredentials) || !strings.Contains(err.Error(), "the credential_process of profile "+profile) {
			t.Errorf("%s: %v", profile, err)
		}
		if err != nil && strings.Contains(err.Error()+session.Explain(err).Message, "lanted") {
			t.Errorf("%s shows what the process printed: %v", profile, err)
		}
	}
	if said, err := os.ReadFile(log.Name()); err != nil || len(said) != 0 {
		t.Errorf("standard error got %s %v", said, err)
	}

	// A repository's own file runs nothing.
	workspace := t.TempDir()
	env.ConfigFile, env.Workspaces = filepath.Join(workspace, "config"), []string{workspace}
	write(t, env.ConfigFile, "[profile evil]\ncredential_process = touch "+workspace+"/ran\n")
	if _, err := h.identity(within(t, time.Minute), env, "evil"); err == nil || !strings.Contains(err.Error(), "workspace") {
		t.Errorf("a file in a workspace: %v", err)
	}
	if _, err := os.Stat(filepath.Join(workspace, "ran")); err == nil {
		t.Error("the process of a workspace's file ran")
	}
}

// Each way in which a credential process fails has its own reason, which says
// where the command stands and nothing of what the process printed.
func TestEachFailureOfACredentialProcessHasItsReason(t *testing.T) {
	f := newFakeAWS(t)
	h := newHome(t, scanner.Config{})
	env := f.environment(t)
	env.ConfigFile = filepath.Join(filepath.Dir(env.CredentialsFile), "config")
	// What the profiles run: a folder with a blank in its name, and a program
	// that answers with its first argument.
	dir := filepath.Join(t.TempDir(), "with space")
	script := filepath.Join(dir, "creds.sh")
	write(t, script, "#!/bin/sh\nprintf '%s' \"$1\"\necho planted-secret >&2\nexit ${2:-0}\n")
	if err := os.Chmod(script, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "plain"), "")
	write(t, filepath.Join(dir, "broken"), "\x7fELFplanted")
	if err := os.Chmod(filepath.Join(dir, "broken"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	object := `{\"Version\":1,\"AccessKeyId\":\"AKIAPLANTED\",\"SecretAccessKey\":\"planted-secret\"`
	run := `"` + script + `" `
	for _, c := range []struct{ command, says string }{
		{run + `"` + object + `}"`, ""},
		{`'` + script + `' "` + object + `,\"Expiration\":\"2099-01-01T00:00:00Z\",\"SessionToken\":null}"`, ""},
		{`creds.sh "` + object + `}"`, ""},
		{"mycreds --planted", "names the program mycreds, which was not found in " + dir + ":/usr/bin:/bin"},
		{dir + "-absent/creds --planted", "a program that is not found there"},
		{`"` + dir + `/absent"`, "a program that is not found there"},
		{`"` + dir + `/plain"`, "may not be run"},
		{`"` + dir + `/broken"`, "could not be started"},
		{"~/bin/creds", "no shell expands there"},
		{"./creds.sh", "does not begin with /"},
		{`"` + script, "a quotation is not closed"},
		{"", "it is empty"},
		{run + "planted 3", "failed with exit code 3"},
		{"sh -c 'kill -9 $$'", "was ended by a signal"},
		{run, "printed nothing"},
		{run + "planted", "something else than a JSON object"},
		{run + "[1]", "something else than a JSON object"},
		{run + `"` + object + `"`, "something else than a JSON object"},
		{run + `"{\"AccessKeyId\":\"AKIAPLANTED\",\"SecretAccessKey\":\"planted-secret\"}"`, `without "Version": 1`},
		{run + `"{\"Version\":2,\"AccessKeyId\":\"AKIAPLANTED\",\"SecretAccessKey\":\"planted-secret\"}"`, `without "Version": 1`},
		{run + `"{\"Version\":1,\"SecretAccessKey\":\"planted-secret\"}"`, "printed no AccessKeyId"},
		{run + `"{\"Version\":1,\"AccessKeyId\":\"AKIAPLANTED\"}"`, "printed no SecretAccessKey"},
		{run + `"` + object + `,\"Expiration\":\"planted\"}"`, "is no time"},
		{run + `"` + object + `,\"Expiration\":\"2001-01-01T00:00:00Z\"}"`, "have expired already"},
		{"head -c 100000 /dev/zero", "far more than credentials"},
	} {
		write(t, env.ConfigFile, "# one line above\n[profile p]\ncredential_process = "+c.command+"\n")
		id, err := h.identity(within(t, time.Minute), env, "p")
		if c.says == "" {
			if err != nil || id.Source != "ProcessProvider" {
				t.Errorf("%s: %+v %v", c.command, id, err)
			}
			continue
		}
		p := session.Explain(err)
		want := "the credential_process of profile p (" + env.ConfigFile + ", line 3) "
		if !errors.Is(err, session.ErrNoCredentials) || !strings.HasPrefix(p.Message, want) || !strings.Contains(p.Message, c.says) || p.Hint == "" {
			t.Errorf("%s: %v, want %q", c.command, err, c.says)
		}
		if strings.Contains(p.Message+p.Hint, "lanted") {
			t.Errorf("%s shows what the process got or printed: %v", c.command, err)
		}
	}
}

func TestACredentialProcessThatHangsIsGivenUp(t *testing.T) {
	f := newFakeAWS(t)
	h := newHome(t, scanner.Config{})
	h.setPatience(300 * time.Millisecond)
	env := f.environment(t)
	env.ConfigFile = filepath.Join(filepath.Dir(env.CredentialsFile), "config")
	// It ends with the test, which takes the file away.
	held := filepath.Join(t.TempDir(), "held")
	write(t, held, "")
	write(t, env.ConfigFile, "[profile hangs]\ncredential_process = sh -c 'while test -e "+held+"; do sleep 0.1; done'\n")
	began := time.Now()
	_, err := h.identity(within(t, time.Minute), env, "hangs")
	if err == nil || session.Explain(err).Hint == "" || time.Since(began) > time.Minute {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

func TestEditedFilesCountAtOnce(t *testing.T) {
	f := newFakeAWS(t)
	h := newHome(t, scanner.Config{})
	env := f.environment(t)
	env.Profile = "default"
	if _, err := h.identity(within(t, time.Minute), env, ""); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(env.CredentialsFile)
	if err != nil {
		t.Fatal(err)
	}
	// Another file of the same size and time takes its place.
	content, err := os.ReadFile(env.CredentialsFile)
	if err != nil {
		t.Fatal(err)
	}
	other := env.CredentialsFile + ".new"
	write(t, other, strings.Replace(string(content), "[default]", "[another]", 1))
	if err := os.Chtimes(other, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, env.CredentialsFile); err != nil {
		t.Fatal(err)
	}
	key := mainKey()
	key.AccountID = fakeAccount
	for what, ask := range map[string]func() error{
		"identity": func() error { _, err := h.identity(within(t, time.Minute), env, ""); return err },
		"scan":     func() error { _, err := h.scan(within(t, time.Minute), env, scanner.Options{}, nil); return err },
		"describe": func() error { _, err := h.describe(within(t, time.Minute), env, key); return err },
		"run":      func() error { return h.asked(within(t, time.Minute), env, (*session.Session).IdentityNow) },
	} {
		if err := ask(); !errors.Is(err, session.ErrUnknownProfile) || !strings.Contains(err.Error(), `"default"; choose from: another`) {
			t.Errorf("%s with a profile that was removed: %v", what, err)
		}
	}
	if id, known := h.Sessions.Client(env).Known(fakeAccount); known {
		t.Errorf("the removed profile is still %+v", id)
	}
	env.Profile = "another"
	if _, err := h.identity(within(t, time.Minute), env, ""); err != nil {
		t.Errorf("the profile that took its place: %v", err)
	}
}
