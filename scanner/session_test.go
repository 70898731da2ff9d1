package scanner_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/scanner/awstest"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
)

func mainKey() storage.Key {
	return storage.Key{
		Type: "rds_instance", ID: awstest.MainDB, AccountID: awstest.ProdAccount, Region: awstest.West,
		ARN: "arn:aws:rds:us-west-2:123456789012:db:" + awstest.MainDB,
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestTheProcessEnvironmentIsNeverAsked(t *testing.T) {
	e := seeded(t)
	for _, v := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ROLE_ARN",
	} {
		t.Setenv(v, "leaked")
	}
	for _, v := range []string{
		"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_EC2", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	} {
		t.Setenv(v, "http://127.0.0.1:1")
	}
	for _, v := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CA_BUNDLE", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
		t.Setenv(v, "/nonexistent")
	}
	t.Setenv("AWS_REGION", "eu-west-3")
	h := newHome(t, scanner.Config{})
	env := e.Environment("", "")
	id, err := h.identity(within(t, time.Minute), env, "")
	if err != nil || id.AccountID != awstest.ProdAccount || id.Profile != "default" || id.Endpoint != e.Endpoint || id.Source != "SharedConfigCredentials" {
		t.Errorf("%+v %v", id, err)
	}
	s, err := h.session(env, "staging")
	if err != nil {
		t.Fatal(err)
	}
	if id, err := s.IdentityNow(within(t, time.Minute)); err != nil || s.Region != awstest.West || id.AccountID != awstest.StagingAccount {
		t.Errorf("%+v %v", id, err)
	}
	if out, err := ec2.NewFromConfig(s.Config()).DescribeInstances(within(t, time.Minute), &ec2.DescribeInstancesInput{}); err != nil || len(out.Reservations) != 1 {
		t.Errorf("the configuration handed out: %v %v", out, err)
	}
	if _, err := h.identity(within(t, time.Minute), env, "empty"); !errors.Is(err, session.ErrNoCredentials) {
		t.Errorf("a profile without keys: %v", err)
	}
}

func TestKeysOfTheSession(t *testing.T) {
	e := seeded(t)
	h := newHome(t, scanner.Config{})
	creds, err := e.Config(awstest.West).Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	env := session.Environment{EndpointURL: e.Endpoint, AccessKeyID: creds.AccessKeyID, SecretAccessKey: creds.SecretAccessKey, Region: awstest.East}
	id, err := h.identity(within(t, time.Minute), env, "")
	if err != nil || id.AccountID != awstest.ProdAccount || id.Profile != "environment" || !strings.HasSuffix(id.ARN, "user/operator") {
		t.Errorf("%+v %v", id, err)
	}
	env.SecretAccessKey = "wrong-secret-0123456789"
	_, err = h.identity(within(t, time.Minute), env, "")
	if !errors.Is(err, session.ErrNoCredentials) || strings.Contains(err.Error(), "wrong-secret") || strings.Contains(err.Error(), creds.AccessKeyID) {
		t.Errorf("a wrong secret: %v", err)
	}
	if p := session.Explain(err); p.Code != "credentials" || p.Hint == "" {
		t.Errorf("explained as %+v", p)
	}
	env.AccessKeyID = "AKIAUNKNOWNUNKNOWN00"
	if _, err = h.identity(within(t, time.Minute), env, ""); !errors.Is(err, session.ErrNoCredentials) {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestKindsOfProfiles(t *testing.T) {
	e := seeded(t)
	h := newHome(t, scanner.Config{})
	env := e.Environment("", "")
	env.Home = t.TempDir()
	appendTo(t, e.ConfigFile, fmt.Sprintf(`
[profile role]
role_arn = arn:aws:iam::%[1]s:role/reader
source_profile = prod
region = eu-west-1
[profile mfa]
role_arn = arn:aws:iam::%[1]s:role/reader
source_profile = prod
mfa_serial = arn:aws:iam::%[1]s:mfa/me
[profile sso]
sso_session = corp
sso_account_id = %[1]s
sso_role_name = dev
[sso-session corp]
sso_start_url = https://corp.example
sso_region = us-east-1
sso_registration_scopes = sso:account:access
[profile machine]
role_arn = arn:aws:iam::%[1]s:role/reader
credential_source = Ec2InstanceMetadata
[profile broken]
role_arn = arn:aws:iam::%[1]s:role/reader
source_profile = nowhere
`, awstest.ProdAccount))
	creds, err := e.Config("").Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	appendTo(t, e.ConfigFile, fmt.Sprintf("[profile process]\ncredential_process = /bin/echo '%s'\n",
		`{"Version":1,"AccessKeyId":"`+creds.AccessKeyID+`","SecretAccessKey":"`+creds.SecretAccessKey+`"}`))

	if id, err := h.identity(within(t, time.Minute), env, "process"); err != nil || id.Source != "ProcessProvider" || id.AccountID != awstest.ProdAccount {
		t.Errorf("process: %+v %v", id, err)
	}
	for _, c := range []struct{ profile, hint string }{
		{"mfa", "needs MFA"},
		{"sso", "aws sso login --profile sso"},
		{"machine", "credential_source"},
		{"broken", `the source_profile "nowhere", which there is not`},
	} {
		_, err := h.identity(within(t, time.Minute), env, c.profile)
		if !errors.Is(err, session.ErrNoCredentials) || !strings.Contains(err.Error(), c.hint) {
			t.Errorf("%s: %v, want %q", c.profile, err, c.hint)
		}
	}
	// moto knows no roles of its own with the check of policies on; what matters is that STS is asked.
	p := proxied(t, e)
	other := newHome(t, scanner.Config{})
	_, err = other.identity(within(t, time.Minute), withEndpoint(env, p.URL), "role")
	if n := len(p.Calls("sts", "AssumeRole", awstest.East)); n == 0 {
		t.Errorf("no role was assumed in eu-west-1: %v", err)
	}
}

func withEndpoint(env session.Environment, url string) session.Environment {
	env.EndpointURL = url
	return env
}

func TestEndpointsOfTheFiles(t *testing.T) {
	e := seeded(t)
	p := proxied(t, e)
	h := newHome(t, scanner.Config{})
	env := e.Environment("local", "")
	env.EndpointURL = ""
	shared, err := config.LoadSharedConfigProfile(t.Context(), "prod", func(o *config.LoadSharedConfigOptions) {
		o.ConfigFiles, o.CredentialsFiles = []string{e.ConfigFile}, []string{e.CredentialsFile}
	})
	if err != nil {
		t.Fatal(err)
	}
	keys := fmt.Sprintf("aws_access_key_id = %s\naws_secret_access_key = %s\n", shared.Credentials.AccessKeyID, shared.Credentials.SecretAccessKey)
	appendTo(t, e.CredentialsFile, "[local]\n"+keys+"[evil]\n"+keys)
	appendTo(t, e.ConfigFile, "[profile local]\nregion = us-west-2\nendpoint_url = "+e.Endpoint+"\nservices = local\n[services local]\nrds =\n  endpoint_url = "+p.URL+
		"\n[profile evil]\nregion = us-west-2\nendpoint_url = https://evil.example\n")
	r := mustScan(t, h, env, scanner.Options{Regions: []string{awstest.West}})
	if r.Resources != 9 {
		t.Errorf("%+v", r)
	}
	if n := len(p.Calls("rds", "", "")); n == 0 || n != len(p.Calls("", "", "")) {
		t.Errorf("the service's own endpoint got %v", p.Calls("", "", ""))
	}
	if _, err := h.identity(within(t, time.Minute), env, "evil"); !errors.Is(err, session.ErrEndpoint) {
		t.Errorf("an endpoint of the files that nobody allowed: %v", err)
	}
}

// Who has several profiles and chose none is told which was read, and which
// were not, until they were.
func TestAScanSaysWhichProfilesItRead(t *testing.T) {
	e := seeded(t)
	h := newHome(t, scanner.Config{})
	regions := []string{awstest.West}
	for _, c := range []struct {
		name         string
		profile      string
		o            scanner.Options
		read, unread string
	}{
		{"the session's own", "", scanner.Options{Regions: regions}, "default", "prod staging"},
		{"one that is named", "", scanner.Options{Regions: regions, Profiles: []string{"prod"}}, "prod", ""},
		{"the session's own, of the same account", "prod", scanner.Options{Regions: regions}, "prod", "staging"},
		{"all", "", scanner.Options{Regions: regions, Profiles: []string{"*"}}, "default staging", ""},
		{"the session's own, when all were read", "", scanner.Options{Regions: regions}, "default", ""},
	} {
		r, err := h.scan(within(t, time.Minute), e.Environment(c.profile, ""), c.o, nil)
		if read, unread := strings.Join(r.Profiles, " "), strings.Join(r.Unread, " "); err != nil || read != c.read || unread != c.unread {
			t.Errorf("%s: read %q, not %q (%v); want %q, not %q", c.name, read, unread, err, c.read, c.unread)
		}
	}
}

// The variables of single services count as AWS_ENDPOINT_URL does: they are
// checked alike, bind the home, and are shown. Those of services that cloudops
// does not call are another program's.
func TestEndpointsOfVariables(t *testing.T) {
	e := seeded(t)
	p := proxied(t, e)
	h := newHome(t, scanner.Config{})
	env := e.Environment("prod", "")
	env.ServiceEndpoints = map[string]string{"rds": p.URL}
	r := mustScan(t, h, env, scanner.Options{Regions: []string{awstest.West}})
	if n := len(p.Calls("rds", "", "")); r.Resources != 9 || n == 0 || n != len(p.Calls("", "", "")) {
		t.Errorf("%+v; the service's own endpoint got %v", r, p.Calls("", "", ""))
	}
	id, err := h.identity(within(t, time.Minute), env, "")
	if err != nil || !strings.Contains(id.Endpoint, "rds="+p.URL) {
		t.Errorf("cards show %q: %v", id.Endpoint, err)
	}
	env.ServiceEndpoints = map[string]string{"rds": p.URL, "dynamodb": "http://evil.example"}
	if _, err := h.identity(within(t, time.Minute), env, ""); err != nil {
		t.Errorf("with the endpoint of a service that is not called: %v", err)
	}
	for service := range map[string]bool{"ec2": true, "rds": true, "s3": true, "sts": true, "sso": true, "sso_oidc": true, "signin": true} {
		env.ServiceEndpoints = map[string]string{service: "https://evil.example"}
		want := "AWS_ENDPOINT_URL_" + strings.ToUpper(service)
		for what, ask := range map[string]func() error{
			"check":    func() error { return h.Sessions.Client(env).Check() },
			"identity": func() error { _, err := h.identity(within(t, time.Minute), env, ""); return err },
		} {
			if err := ask(); !errors.Is(err, session.ErrEndpoint) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s with the %s of a stranger: %v", what, want, err)
			}
		}
		env.IgnoreEndpoints = "true"
		if err := h.Sessions.Client(env).Check(); err != nil {
			t.Errorf("an endpoint that is ignored: %v", err)
		}
		env.IgnoreEndpoints = ""
	}
	env.ServiceEndpoints = nil
	if _, err := h.identity(within(t, time.Minute), env, ""); !errors.Is(err, session.ErrEndpoint) {
		t.Errorf("the same home without the variable: %v", err)
	}
	// Where nobody answers, the place that was called is named.
	env.ServiceEndpoints = map[string]string{"sts": closedPort(t)}
	if _, err := newHome(t, scanner.Config{}).identity(within(t, time.Minute), env, ""); !errors.Is(err, session.ErrUnreachable) || !strings.Contains(err.Error(), env.ServiceEndpoints["sts"]) {
		t.Errorf("a closed port at %s: %v", env.ServiceEndpoints["sts"], err)
	}
}

func TestAHomeIsBoundToOneEndpoint(t *testing.T) {
	e := seeded(t)
	p := proxied(t, e)
	h := newHome(t, scanner.Config{})
	if _, err := h.identity(within(t, time.Minute), e.Environment("prod", ""), ""); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := h.scan(within(t, time.Minute), e.Environment("prod", p.URL), scanner.Options{}, nil)
		if !errors.Is(err, session.ErrEndpoint) || !strings.Contains(err.Error(), "CLOUDOPS_HOME") {
			t.Errorf("another endpoint: %v", err)
		}
		env := e.Environment("prod", "")
		env.EndpointURL = ""
		if _, err = h.identity(within(t, time.Minute), env, ""); !errors.Is(err, session.ErrEndpoint) {
			t.Errorf("AWS itself: %v", err)
		}
		h.close()
		h.open(t, scanner.Config{})
	}
	if calls := p.Calls("", "", ""); len(calls) != 0 {
		t.Errorf("the other endpoint was called: %v", calls)
	}
}

func TestDescribeReadsOneResourceNow(t *testing.T) {
	e := seeded(t)
	h := newHome(t, scanner.Config{})
	env := e.Environment("staging", "")
	mustScan(t, h, env, scanner.Options{Profiles: []string{"prod", "staging"}})
	stored, err := h.store.Estate.Get(t.Context(), mainKey())
	if err != nil {
		t.Fatal(err)
	}
	// The session's profile is of another account, so the one that scanned is used.
	live, err := h.describe(within(t, time.Minute), env, mainKey())
	if err != nil || live.ARN != stored.ARN || live.ImmutableID != stored.ImmutableID || live.State != "available" {
		t.Fatalf("%+v %v", live, err)
	}
	client := rds.NewFromConfig(e.Config(awstest.West))
	if _, err := client.StopDBInstance(t.Context(), &rds.StopDBInstanceInput{DBInstanceIdentifier: aws.String(awstest.MainDB)}); err != nil {
		t.Fatal(err)
	}
	if live, err = h.refresh(within(t, time.Minute), env, mainKey()); err != nil || live.State != "stopped" {
		t.Errorf("%+v %v", live, err)
	}
	if found := h.store.Estate.Find(awstest.MainDB); len(found) != 1 || found[0].State != "stopped" {
		t.Errorf("the estate says %+v", found)
	}

	for _, k := range []storage.Key{
		{Type: "ec2_instance", ID: e.Hostile, AccountID: awstest.ProdAccount, Region: awstest.West},
		{Type: "rds_cluster", ID: awstest.Cluster, AccountID: awstest.ProdAccount, Region: awstest.East},
		{Type: "s3_bucket", ID: awstest.EastBucket, AccountID: awstest.ProdAccount, Region: awstest.East},
	} {
		if r, err := h.describe(within(t, time.Minute), env, k); err != nil || r.ID != k.ID || r.Region != k.Region {
			t.Errorf("%+v: %+v %v", k, r, err)
		}
		k.ID = "i-00000000000000000"
		if _, err := h.describe(within(t, time.Minute), env, k); !errors.Is(err, session.ErrGone) {
			t.Errorf("%+v that never was: %v", k, err)
		}
	}

	if _, err := client.DeleteDBInstance(t.Context(), &rds.DeleteDBInstanceInput{DBInstanceIdentifier: aws.String(awstest.MainDB), SkipFinalSnapshot: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.refresh(within(t, time.Minute), env, mainKey()); !errors.Is(err, session.ErrGone) || len(h.store.Estate.Find(awstest.MainDB)) != 0 {
		t.Errorf("refreshing what was deleted: %v", err)
	}
	_, err = h.describe(within(t, time.Minute), env, storage.Key{Type: "rds_cluster", ID: "c", AccountID: awstest.StagingAccount, Region: awstest.West})
	if !errors.Is(err, session.ErrDenied) || !strings.Contains(err.Error(), "rds:DescribeDBClusters") {
		t.Errorf("a denied read: %v", err)
	}
	if _, err = h.describe(within(t, time.Minute), env, storage.Key{Type: "rds_cluster", ID: "c", AccountID: "000000000000", Region: awstest.West}); !errors.Is(err, session.ErrNoCredentials) {
		t.Errorf("an account nobody has a profile for: %v", err)
	}
}

func TestChangedKeysAreUsed(t *testing.T) {
	e := seeded(t)
	h := newHome(t, scanner.Config{})
	env := e.Environment("prod", "")
	if _, err := h.identity(within(t, time.Minute), env, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(e.CredentialsFile, []byte("[prod]\naws_access_key_id = AKIAUNKNOWN\naws_secret_access_key = other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.identity(within(t, time.Minute), env, ""); !errors.Is(err, session.ErrNoCredentials) {
		t.Errorf("after the keys were replaced: %v", err)
	}
}

func TestADamagedLedgerIsToldAndKept(t *testing.T) {
	e := seeded(t)
	h := newHome(t, scanner.Config{})
	if _, err := h.identity(within(t, time.Minute), e.Environment("prod", ""), ""); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(h.dir, "data", "ledger")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, plain := range []string{"123456789012", "prod", e.Endpoint, "complete"} {
		if strings.Contains(string(content), plain) {
			t.Errorf("the ledger shows %q", plain)
		}
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	sc, err := scanner.New(scanner.Config{}, h.store.Estate, h.keys)
	if err != nil || len(sc.Ledger()) != 0 {
		t.Errorf("a damaged ledger: %v", err)
	}
	kept, err := filepath.Glob(path + ".damaged-*")
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept are %v, %v", kept, err)
	}
	if after, err := os.ReadFile(kept[0]); err != nil || string(after) != string(content) {
		t.Errorf("the damaged ledger was changed: %v", err)
	}
	if ps := fmt.Sprint(h.store.Health().Problems); !strings.Contains(ps, kept[0]) || !strings.Contains(ps, "cloudops scan") {
		t.Errorf("problems: %s", ps)
	}
}
