package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	services "github.com/cloudops/cloudops/scanner/aws"
)

// reading is a session's files and variables, read by the AWS CLI's library and
// by cloudops.
type reading struct {
	name                string
	config, credentials string
	variables           map[string]string
	// ours says why cloudops reads it where the AWS CLI does not.
	ours string
	// loose are profiles that the AWS CLI passes over.
	loose []string
}

const readKeys = "aws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = abc/def+ghi=\n"

const readRole = "role_arn = arn:aws:iam::222233334444:role/r\n"

var readings = []reading{
	{name: "no files"},
	{name: "plain", config: "[default]\nregion = us-west-2\n[profile p]\nregion=eu-west-1\n", credentials: "[default]\n" + readKeys},
	{name: "blank lines and comments", config: "\n# one\n; two\n[default]\n\n# three\nregion = us-west-2\n\n; four\noutput = json\n"},
	{name: "Windows' line ends", config: "[default]\r\nregion = us-west-2\r\n[profile 'a b']\r\noutput = json\r\n", credentials: strings.ReplaceAll("[default]\n"+readKeys, "\n", "\r\n")},
	{name: "Mac OS 9's line ends", config: "[default]\rregion = us-west-2\r[profile p]\rregion = x\r"},
	{name: "no line end at the end", config: "[default]\nregion = us-west-2"},
	{name: "byte order mark", config: "\xef\xbb\xbf[default]\nregion = us-west-2\n", ours: "Notepad writes it"},
	{name: "UTF-16", config: "\xff\xfe[\x00d\x00]\x00\n\x00"},
	{name: "UTF-16 without a mark", config: "[\x00d\x00]\x00\n\x00x\xff"},
	{name: "Latin 1", config: "[default]\n# Z\xfcrich\nregion = us-west-2\n"},
	{name: "umlauts", config: "[profile zürich]\nregion = eu-central-2\n[profile 'Größe Zwei']\noutput = json\n"},

	{name: "single quotes", config: "[profile 'Two Words']\n" + readKeys},
	{name: "double quotes", config: "[profile \"Two Words\"]\n" + readKeys},
	{name: "quotes around one word", config: "[profile 'p']\n" + readKeys + "[profile \"q\"]\n" + readKeys},
	{name: "quotes inside a word", config: "[profile a'b c'd]\nregion = x\n[profile \"a \\\"b\\\" \\c\"]\nregion = x\n[profile a\\ b]\nregion = x\n"},
	{name: "an empty name", config: "[profile '']\nregion = x\n"},
	{name: "an open quote", config: "[profile 'p]\nregion = x\n[profile q]\nregion = x\n[profile it's]\nregion = x\n", loose: []string{"'p", "it's"}},
	{name: "two words without quotes", config: "[profile a b]\nregion = x\n[profile c  d:e ]\nregion = y\n", loose: []string{"a b", "c  d:e"}},
	{name: "two words with and without quotes", config: "[profile 'a b']\nregion = x\n[profile a b]\nregion = y\n"},
	{name: "blanks in the header", config: "[ profile p ]\nregion = x\n[profile  q]\nregion = x\n[profile r ]\nregion = x\n[profile\ts]\nregion = x\n[ default ]\nregion = x\n"},
	{name: "no word profile", config: "[p]\nregion = x\n[default]\nregion = y\n"},
	{name: "a word that begins alike", config: "[profilex p]\nregion = x\n[profiles q]\nregion = x\n[profile]\nregion = x\n[profile-x]\nregion = x\n"},
	{name: "a comment behind a header", config: "[profile p] # mine\nregion = x\n[profile q]]\nregion = x\n[[profile r]\nregion = x\n"},
	{name: "a header that is indented", config: "  [profile p]\n  region = x\n  output = json\n[profile q]\nregion = y\n"},
	{name: "[profile default] first", config: "[profile default]\nregion = us-west-2\noutput = json\n[default]\nregion = eu-west-1\n", credentials: "[default]\n" + readKeys},
	{name: "[profile default] last", config: "[default]\nregion = us-west-2\noutput = json\n[profile default]\nregion = eu-west-1\n"},
	{name: "one name, written in two ways", config: "[profile p]\nregion = a\n[profile 'p']\noutput = b\n[profile  p]\nregion = c\n"},
	{name: "a section twice", config: "[profile p]\nregion = a\n[profile p]\nregion = b\n", ours: "a profile that was added to in two places"},
	{name: "a setting twice", config: "[profile p]\nregion = a\nREGION = b\n", ours: "a setting that was changed below"},
	{name: "names in upper case", config: "[profile p]\nREGION = us-west-2\nAws_Access_Key_ID = AKIA\nAWS_SECRET_ACCESS_KEY = x\n"},
	{name: "headers in upper case", config: "[Default]\nregion = a\n[PROFILE p]\nregion = b\n"},
	{name: "the section DEFAULT", config: "[DEFAULT]\nregion = us-west-2\n[profile p]\noutput = json\n[profile q]\nregion = x\n"},
	{name: "profiles in the credentials file", credentials: "[default]\n" + readKeys + "[profile p]\n" + readKeys + "['q']\n" + readKeys + "[ r ]\n" + readKeys + "[a b]\n" + readKeys},
	{name: "only a header", config: "[profile p]\n", credentials: "[q]\n"},

	{name: "colons", config: "[profile p]\nregion: us-west-2\nrole_arn: arn:aws:iam::1:role/r\nsource_profile : p2\n[profile p2]\n" + readKeys},
	{name: "a comment behind a value", config: "[profile p]\nregion = us-west-2 # mine\noutput = json ; x\n"},
	{name: "values in quotes", config: "[profile p]\nregion = \"us-west-2\"\nrole_session_name = 'me'\n"},
	{name: "an empty value", config: "[profile p]\nregion =\noutput = json\n"},
	{name: "a name alone", config: "[profile p]\nregion\n"},
	{name: "no name", config: "[profile p]\n = x\n"},
	{name: "nothing before the first header", config: "region = x\n[default]\n"},
	{name: "an open header", config: "[profile p\nregion = x\n"},
	{name: "an empty header", config: "[]\nregion = x\n"},
	{name: "a value on two lines", config: "[profile p]\nregion = us-west-2\n  output = json\nregion2 = x\n"},
	{name: "a value that begins on the next line", config: "[profile p]\ns3 =\n  a = b\n\n  # c\n  d=e=f\nregion = x\n"},
	{name: "an indented line that is no setting", config: "[profile p]\ns3 =\n  a\nregion = x\n"},
	{name: "tabs", config: "[profile p]\n\tregion\t=\tus-west-2\n\toutput = json\ns3 =\n\tx = y\n"},
	{name: "retry_mode = legacy", config: "[profile p]\nretry_mode = legacy\nmax_attempts = many\nsts_regional_endpoints = legacy\n" + readKeys},
	{name: "settings that no SDK knows", config: "[profile p]\ncli_pager =\nx = y\ndefaults_mode = none\nuse_fips_endpoint = perhaps\nduration_seconds = long\n" + readKeys},
	{name: "sections that are no profiles", config: "[plugins]\nx = y\n[preview]\na = true\n[default]\n" + readKeys},

	{name: "keys in both files", config: "[profile p]\naws_access_key_id = AKIACONFIG\naws_secret_access_key = c\n", credentials: "[p]\n" + readKeys},
	{name: "half of the keys in each file", config: "[profile p]\naws_secret_access_key = c\n", credentials: "[p]\naws_access_key_id = AKIA\n"},
	{name: "no secret", credentials: "[p]\naws_access_key_id = AKIA\n"},
	{name: "a secret alone", credentials: "[p]\naws_secret_access_key = x\n"},
	{name: "empty keys", credentials: "[p]\naws_access_key_id =\naws_secret_access_key =\n"},
	{name: "tokens", credentials: "[p]\n" + readKeys + "aws_session_token = t\n[q]\n" + readKeys + "aws_session_token = t\naws_security_token = old\n"},
	{name: "keys beside SSO", config: "[profile p]\nsso_start_url = https://x.example\nsso_region = us-east-1\nsso_account_id = 1\nsso_role_name = r\n", credentials: "[p]\n" + readKeys},
	{name: "keys of the config beside a process", config: "[profile p]\ncredential_process = /bin/x\n" + readKeys},
	{name: "keys of the credentials beside a process", config: "[profile p]\ncredential_process = /bin/x\n", credentials: "[p]\n" + readKeys},
	{name: "keys beside a login", config: "[profile p]\nlogin_session = arn:aws:iam::1:user/me\n" + readKeys},
	{name: "a login", config: "[profile p]\nlogin_session = arn:aws:iam::1:user/me\ncredential_process = /bin/x\n"},

	{name: "role", config: "[profile p]\n" + readRole + "source_profile = q\nexternal_id = x y\nrole_session_name = me\nduration_seconds = 900\n[profile q]\n" + readKeys},
	{name: "role of a role", config: "[profile p]\n" + readRole + "source_profile = q\nexternal_id = 1\n[profile q]\nrole_arn = arn:q\nsource_profile = Two\n[profile 'Two']\n" + readKeys + "[profile r]\nrole_arn = arn:r\nsource_profile = p\n"},
	{name: "role over quoted names", config: "[profile p]\n" + readRole + "source_profile = Two Words\n[profile 'Two Words']\n" + readKeys},
	{name: "role without a source", config: "[profile p]\n" + readRole},
	{name: "role with two sources", config: "[profile p]\n" + readRole + "source_profile = p\ncredential_source = Environment\n" + readKeys},
	{name: "role over a profile that there is not", config: "[profile p]\n" + readRole + "source_profile = nowhere\n"},
	{name: "role over a profile without credentials", config: "[profile p]\n" + readRole + "source_profile = q\n[profile q]\nregion = x\n"},
	{name: "role over itself with keys", config: "[profile p]\n" + readRole + "source_profile = p\n" + readKeys},
	{name: "role over itself with keys in the other file", config: "[profile p]\n" + readRole + "source_profile = p\n", credentials: "[p]\n" + readKeys},
	{name: "role over itself without keys", config: "[profile p]\n" + readRole + "source_profile = p\n"},
	{name: "a loop of two", config: "[profile p]\n" + readRole + "source_profile = q\n[profile q]\n" + readRole + "source_profile = p\n"},
	{name: "a loop of two with keys in one", config: "[profile p]\n" + readRole + "source_profile = q\n" + readKeys + "[profile q]\n" + readRole + "source_profile = p\n"},
	{name: "a loop of three behind one", config: "[profile p]\n" + readRole + "source_profile = q\n[profile q]\n" + readRole + "source_profile = r\n[profile r]\n" + readRole + "source_profile = s\n[profile s]\n" + readRole + "source_profile = q\n"},
	{name: "role over a role with keys of its own", config: "[profile p]\n" + readRole + "source_profile = q\n[profile q]\nrole_arn = arn:q\nsource_profile = r\n" + readKeys + "[profile r]\n" + readKeys},
	{name: "role over SSO", config: "[profile p]\n" + readRole + "source_profile = q\n[profile q]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\nsso_start_url = https://x.example\nsso_region = us-east-1\n"},
	{name: "role over a process", config: "[profile p]\n" + readRole + "source_profile = q\n[profile q]\ncredential_process = /bin/x 'a b'\n"},
	{name: "an empty role", config: "[profile p]\nrole_arn =\n" + readKeys},
	{name: "role of the machine", config: "[profile p]\n" + readRole + "credential_source = Ec2InstanceMetadata\n[profile q]\n" + readRole + "credential_source = EcsContainer\n[profile r]\n" + readRole + "credential_source = nonsense\n"},
	{name: "role of variables", config: "[profile p]\n" + readRole + "credential_source = Environment\n", variables: map[string]string{"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "e", "AWS_SESSION_TOKEN": "t"}},
	{name: "role of variables that are not set", config: "[profile p]\n" + readRole + "credential_source = Environment\n"},
	{name: "web identity", config: "[profile p]\n" + readRole + "web_identity_token_file = DIR/config\nrole_session_name = me\n[profile q]\n" + readRole + "source_profile = p\n" + "[profile r]\nweb_identity_token_file = DIR/config\n" + readKeys},

	{name: "SSO by a session", config: "[profile p]\nsso_session = My Corp\nsso_account_id = 1\nsso_role_name = r\n[sso-session 'My Corp']\nsso_start_url = https://x.example\nsso_region = us-east-1\nsso_registration_scopes = sso:account:access\n"},
	{name: "SSO by a session in double quotes", config: "[profile p]\nsso_session = My Corp\nsso_account_id = 1\nsso_role_name = r\n[sso-session \"My Corp\"]\nsso_start_url = https://x.example\nsso_region = us-east-1\n"},
	{name: "SSO by address", config: "[profile p]\nsso_start_url = https://x.example/start\nsso_region = us-east-1\nsso_account_id = 1\nsso_role_name = r\n"},
	{name: "SSO by a session that there is not", config: "[profile p]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n"},
	{name: "SSO that lacks something", config: "[profile p]\nsso_session = s\nsso_account_id = 1\n[sso-session s]\nsso_start_url = https://x.example\n[profile q]\nsso_role_name = r\n[profile r]\nsso_session = s\n"},
	{name: "SSO repeated alike", config: "[profile p]\nsso_session = s\nsso_region = us-east-1\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\nsso_start_url = https://x.example\nsso_region = us-east-1\n"},
	{name: "SSO repeated otherwise", config: "[profile p]\nsso_session = s\nsso_region = us-east-2\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\nsso_start_url = https://x.example\nsso_region = us-east-1\n"},
	{name: "SSO shared by session and profile", config: "[profile p]\nsso_session = s\nsso_region = us-east-1\nsso_account_id = 1\n[sso-session s]\nsso_start_url = https://x.example\nsso_role_name = r\n"},

	{name: "process", config: "[profile p]\ncredential_process = /opt/bin/creds --profile p\n"},
	{name: "process quoted whole", config: "[profile p]\ncredential_process = \"/dir with space/creds.sh\"\n"},
	{name: "process quoted word by word", config: "[profile p]\ncredential_process = \"/dir with space/creds.sh\" \"--user helen\"\n[profile q]\ncredential_process = '/dir with space/creds.sh' '--user helen' \"\"\n"},
	{name: "process with escapes", config: "[profile p]\ncredential_process = /dir\\ with/creds \\\"a\\\" 'it'\\''s' \"a\\b\\\"c\" # x\n"},
	{name: "process with an open quotation", config: "[profile p]\ncredential_process = \"/bin/x\n[profile q]\ncredential_process = /bin/x \\\n"},
	{name: "process on two lines", config: "[profile p]\ncredential_process = /bin/x\n  --user helen\n"},
	{name: "an empty process", config: "[profile p]\ncredential_process =\n"},

	{name: "endpoint", config: "[profile p]\nendpoint_url = http://127.0.0.1:1\n[profile q]\nregion = x\n"},
	{name: "endpoints of services", config: "[profile p]\nservices = local\nendpoint_url = http://127.0.0.1:1\n[services local]\ns3 =\n  endpoint_url = http://127.0.0.1:2\nsso_oidc =\n  endpoint_url = http://127.0.0.1:3\n[profile q]\nservices = my own\n[services 'my own']\nEC2 =\n  endpoint_url = http://127.0.0.1:4\nrds =\n  ENDPOINT_URL = http://127.0.0.1:5\n"},
	{name: "services that there are not", config: "[profile p]\nservices = nowhere\n[profile q]\nservices = empty\n[services empty]\n"},
	{name: "endpoints of variables", config: "[profile p]\nservices = local\nendpoint_url = http://127.0.0.1:1\n[services local]\ns3 =\n  endpoint_url = http://127.0.0.1:2\nec2 =\n  endpoint_url = http://127.0.0.1:3\n",
		variables: map[string]string{"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:4", "AWS_ENDPOINT_URL_SSO_OIDC": "http://127.0.0.1:5", "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:6"}},
	{name: "an endpoint of variables", config: "[profile p]\nservices = nowhere\nendpoint_url = http://127.0.0.1:1\n",
		variables: map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:7", "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:8"}},
	{name: "endpoints ignored by a variable", config: "[profile p]\nendpoint_url = http://127.0.0.1:1\nignore_configured_endpoint_urls = false\n",
		variables: map[string]string{"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:8", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "True"}},
	{name: "endpoints not ignored by a variable", config: "[profile p]\nendpoint_url = http://127.0.0.1:1\nignore_configured_endpoint_urls = true\n",
		variables: map[string]string{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"}},
	{name: "endpoints ignored by a number", config: "[profile p]\nendpoint_url = http://127.0.0.1:1\n",
		variables: map[string]string{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "1"}},
	{name: "endpoints ignored by the profile", config: "[profile p]\nendpoint_url = http://127.0.0.1:1\nignore_configured_endpoint_urls = true\nuse_fips_endpoint = TRUE\n"},
}

// readHeaders and readLines are put together at random, for what nobody thought
// of; readOddities are lines that few files survive.
var (
	readHeaders = []string{
		"[default]", "[profile p]", "[profile 'p']", "[profile \"q r\"]", "[ profile p ]", "[profile default]", "[profile p q]",
		"[sso-session s]", "[sso-session 's t']", "[services v]", "[DEFAULT]", "[p]", "[q r]", "[profile x] x", "[profile 'o]",
	}
	readLines = []string{
		"region = us-west-2", "aws_access_key_id = AKIA", "aws_secret_access_key = s", "aws_session_token = t", strings.TrimSpace(readRole),
		"source_profile = p", "Source_Profile: default", "source_profile = q r", "credential_process = a 'b c' \"d\"", "sso_session = s", "sso_session = s t",
		"sso_account_id = 1", "sso_role_name = r", "sso_start_url = https://x.example", "sso_region = us-east-1",
		"s3 =\n  endpoint_url = http://127.0.0.1:2", "endpoint_url = http://127.0.0.1:1", "services = v", "external_id = e", "# comment", "  ; comment", "", " \t", "\r",
	}
	readOddities = []string{"[", "]", "  [profile i]", "  region = eu-west-1", "region=", "region", "= x", "  x", "\f"}
)

func randomReadings(n int) []reading {
	made := make([]reading, n)
	for i := range made {
		// The seed is fixed: what fails once fails again.
		random := rand.New(rand.NewPCG(9, uint64(i)))
		file := func() string {
			var text strings.Builder
			for _, header := range random.Perm(len(readHeaders))[:1+random.IntN(4)] {
				text.WriteString(readHeaders[header] + "\n")
				set := map[string]bool{}
				for _, line := range random.Perm(len(readLines))[:random.IntN(10)] {
					name, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(readLines[line]), ":", " "), " ")
					if !set[name] {
						text.WriteString(readLines[line] + "\n")
					}
					set[name] = true
				}
				if random.IntN(12) == 0 {
					text.WriteString(readOddities[random.IntN(len(readOddities))] + "\n")
				}
			}
			return text.String()
		}
		if made[i] = (reading{name: fmt.Sprintf("random %d", i), config: file(), loose: []string{"p q", "'o"}}); i%2 == 0 {
			made[i].credentials = file()
		}
	}
	return made
}

// told is what a profile is, as testdata/botocore_reads.py says it too.
type told struct {
	Settings  map[string]any    `json:"settings"`
	Way       map[string]any    `json:"way"`
	Endpoints map[string]string `json:"endpoints"`
	FIPS      bool              `json:"fips"`
}

func TestFilesAreReadAsTheAWSCLIReadsThem(t *testing.T) {
	python, err := filepath.Abs("../../.tools/moto/bin/python")
	if err == nil {
		_, err = os.Stat(python)
	}
	if err != nil {
		t.Fatalf("the AWS CLI's library comes with the emulator; run `make test` once: %v", err)
	}
	type asked struct {
		Variables map[string]string `json:"variables"`
		Services  []string          `json:"services"`
	}
	number := 200
	if testing.Short() {
		number = 40
	}
	dir := t.TempDir()
	all := slices.Concat(readings, randomReadings(number))
	input := []asked{}
	envs := []Environment{}
	for i, c := range all {
		in := filepath.Join(dir, fmt.Sprint(i))
		if err := os.Mkdir(in, 0o700); err != nil {
			t.Fatal(err)
		}
		variables := map[string]string{"HOME": in, "AWS_CONFIG_FILE": filepath.Join(in, "config"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(in, "credentials")}
		for file, content := range map[string]string{"config": c.config, "credentials": c.credentials} {
			if content == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(in, file), []byte(strings.ReplaceAll(content, "DIR", in)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		env := Environment{Home: in, ConfigFile: variables["AWS_CONFIG_FILE"], CredentialsFile: variables["AWS_SHARED_CREDENTIALS_FILE"], ServiceEndpoints: map[string]string{}}
		for name, value := range c.variables {
			variables[name] = value
			switch name {
			case "AWS_ACCESS_KEY_ID":
				env.AccessKeyID = value
			case "AWS_SECRET_ACCESS_KEY":
				env.SecretAccessKey = value
			case "AWS_SESSION_TOKEN":
				env.SessionToken = value
			case "AWS_ENDPOINT_URL":
				env.EndpointURL = value
			case "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS":
				env.IgnoreEndpoints = value
			default:
				env.ServiceEndpoints[EndpointVariables()[name]] = value
			}
		}
		services := []string{}
		for _, service := range called {
			services = append(services, strings.ReplaceAll(service, "_", "-"))
		}
		input, envs = append(input, asked{variables, services}), append(envs, env)
	}
	said, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, filepath.Join("testdata", "botocore_reads.py"))
	cmd.Stdin, cmd.Env = bytes.NewReader(said), []string{"PYTHONUTF8=1", "HOME=" + dir, "PATH=/usr/bin:/bin"}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var theirs []struct {
		Profiles map[string]told `json:"profiles"`
	}
	if err := json.Unmarshal(out, &theirs); err != nil {
		t.Fatal(err)
	}
	usable := 0
	for i, c := range all {
		ours, err := tell(envs[i])
		if c.ours != "" {
			if err != nil || len(ours) == 0 || theirs[i].Profiles != nil {
				t.Errorf("%s: cloudops reads it (%s): %v %v; the AWS CLI: %v", c.name, c.ours, ours, err, theirs[i].Profiles)
			}
			continue
		}
		if (err != nil) != (theirs[i].Profiles == nil) {
			t.Errorf("%s: %v, but the AWS CLI reads %v in\n%s\n%s", c.name, err, theirs[i].Profiles, c.config, c.credentials)
			continue
		}
		if err != nil {
			if p := Explain(err); p.Code != CodeProfile || p.Hint == "" {
				t.Errorf("%s: explained as %+v", c.name, p)
			}
			continue
		}
		for name, want := range theirs[i].Profiles {
			delete(want.Way, "why")
			if got, ok := ours[name]; !ok || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: profile %q\n     ours %+v\nAWS CLI's %+v in\n%s\n%s", c.name, name, got, want, c.config, c.credentials)
			}
			if want.Way["method"] != "unusable" {
				usable++
			}
		}
		for _, name := range c.loose {
			if _, ok := ours[name]; !ok && !strings.HasPrefix(c.name, "random") {
				t.Errorf("%s: there is no profile %q", c.name, name)
			}
		}
		for name := range ours {
			if _, ok := theirs[i].Profiles[name]; !ok && !slices.Contains(c.loose, name) {
				t.Errorf("%s: the AWS CLI has no profile %q", c.name, name)
			}
		}
	}
	if usable < 60 {
		t.Errorf("only %d profiles can be used: the cases say little", usable)
	}
}

// Where the AWS CLI would take quotes and comments for parts of a value and fail,
// the plain meaning counts, as with the SDKs.
func TestValuesAreTakenForWhatTheyMean(t *testing.T) {
	env := session(t, `[profile p]
region = "us-west-2"
role_arn = 'arn:aws:iam::123456789012:role/r' # the reader
source_profile = 'Two Words'
external_id = "e"	; of March
[profile 'Two Words']
sso_session = "My Corp"
sso_account_id = '123456789012'
sso_role_name = r
[sso-session 'My Corp']
sso_start_url = "https://x.example/start#/" # ours
sso_region = us-east-1 # theirs
[profile keys]
aws_access_key_id = "AKIAEXAMPLE"
aws_secret_access_key = 'abc/def#ghi=' # old
`, "")
	files, err := env.files()
	if err != nil {
		t.Fatal(err)
	}
	all, err := files.load()
	if err != nil {
		t.Fatal(err)
	}
	if region, _ := env.region(all.profiles["p"]); region != "us-west-2" {
		t.Errorf("the region is %q", region)
	}
	for profile, want := range map[string]map[string]any{
		"p": {"method": "role", "arn": "arn:aws:iam::123456789012:role/r", "external_id": "e", "session": "cloudops", "seconds": 3600.0, "source": map[string]any{
			"method": "sso", "name": "My Corp", "url": "https://x.example/start#/", "region": "us-east-1", "account": "123456789012", "role": "r"}},
		"keys": {"method": "keys", "id": "AKIAEXAMPLE", "secret": "abc/def#ghi=", "token": ""},
	} {
		w, err := (&resolver{env: env, shared: all}).way(all.profiles[profile], false)
		if err != nil || !reflect.DeepEqual(tellWay(w), want) {
			t.Errorf("%s: %v %v, want %v", profile, tellWay(w), err, want)
		}
	}
}

// Keys in variables come without a region; that of the profile beside them
// counts, as with the AWS CLI.
func TestKeysInVariablesGoWithTheSettingsOfAProfile(t *testing.T) {
	env := session(t, "[default]\nregion = eu-west-1\n[profile p]\nregion = us-west-2\nendpoint_url = http://127.0.0.1:1\n", "[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = x\n")
	env.AccessKeyID, env.SecretAccessKey = "AKIAENV", "e"
	for _, c := range []struct{ beside, variable, region, endpoint string }{
		{"", "", "eu-west-1", ""}, {"p", "", "us-west-2", "http://127.0.0.1:1"}, {"p", "eu-west-3", "eu-west-3", "http://127.0.0.1:1"},
	} {
		env.SettingsProfile, env.Region = c.beside, c.variable
		a, err := bare().access(env, "")
		if err != nil || a.region != c.region || a.endpoints.base != c.endpoint || a.profile != environmentProfile {
			t.Errorf("beside %q: %+v %v", c.beside, a, err)
			continue
		}
		creds, err := a.config.Credentials.Retrieve(t.Context())
		if err != nil || creds.AccessKeyID != "AKIAENV" || a.source != sessionSource {
			t.Errorf("beside %q: the keys are of %s (%v)", c.beside, a.source, err)
		}
	}
	env.SettingsProfile = "nowhere"
	if _, err := bare().access(env, ""); !errors.Is(err, ErrUnknownProfile) {
		t.Errorf("beside a profile that there is not: %v", err)
	}
}

// Each service that is called has its variable, so that none goes to AWS where
// the person meant another place.
func TestEachServiceHasItsVariable(t *testing.T) {
	for _, c := range services.Collectors() {
		if EndpointVariables()[endpointPrefix+strings.ToUpper(c.Service)] != c.Service {
			t.Errorf("%s is read and has no variable", c.Service)
		}
	}
}

func ask(t *testing.T, c *Client) error {
	t.Helper()
	s, err := c.Open("", "")
	if err == nil {
		_, err = s.Ask(t.Context())
	}
	return err
}

// FIPS and dual-stack endpoints are those of the SDK's own rules.
func TestVariantsOfEndpointsAreCalled(t *testing.T) {
	var asked atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Host)
		w.WriteHeader(http.StatusForbidden)
	}))
	defer proxy.Close()
	env := session(t, "[profile plain]\n[profile fips]\nuse_fips_endpoint = true\n[profile both]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = True # yes\n",
		"[plain]\n"+readKeys+"[fips]\n"+readKeys+"[both]\n"+readKeys)
	env.Region = "us-west-2"
	for _, c := range []struct{ profile, fips, want string }{
		{"plain", "", "sts.us-west-2.amazonaws.com:443"}, {"plain", "true", "sts-fips.us-west-2.amazonaws.com:443"},
		{"fips", "", "sts-fips.us-west-2.amazonaws.com:443"}, {"fips", "false", "sts.us-west-2.amazonaws.com:443"},
		{"both", "", "sts-fips.us-west-2.api.aws:443"},
	} {
		s := bare()
		s.config.HTTPSProxy = proxy.URL
		env.Profile, env.UseFIPS = c.profile, c.fips
		asked.Store("")
		if err := ask(t, s.Client(env)); !errors.Is(err, ErrUnreachable) || asked.Load() != c.want {
			t.Errorf("%s with %q: %q was called, want %q (%v)", c.profile, c.fips, asked.Load(), c.want, err)
		}
	}
}

// tell says what cloudops reads, in the words of the script.
func tell(env Environment) (map[string]told, error) {
	files, err := env.files()
	if err != nil {
		return nil, err
	}
	all, err := files.load()
	if err != nil {
		return nil, err
	}
	profiles := map[string]told{}
	for name, p := range all.profiles {
		one := told{Settings: map[string]any{}, FIPS: env.variant(env.UseFIPS, p, "use_fips_endpoint")}
		for of, s := range p.settings {
			one.Settings[of] = s.value
			if s.nested != nil {
				nested := map[string]any{}
				for k, v := range s.nested {
					nested[k] = v
				}
				one.Settings[of] = nested
			}
		}
		w, err := (&resolver{env: env, shared: all}).way(p, false)
		one.Way = map[string]any{"method": "unusable"}
		if err == nil {
			one.Way = tellWay(w)
		}
		if e, err := (Config{}).endpoints(env, all, p); err == nil {
			one.Endpoints = map[string]string{}
			for _, service := range called {
				if u := e.of(service); u != "" {
					one.Endpoints[service] = u
				}
			}
		}
		profiles[name] = one
	}
	return profiles, nil
}

func tellWay(w *way) map[string]any {
	told := map[string]any{"method": w.method}
	switch w.method {
	case methodKeys:
		told["id"], told["secret"], told["token"] = w.id, w.secret, w.token
	case methodSSO:
		told["name"], told["url"], told["region"], told["account"], told["role"] = w.sso.name, w.sso.startURL, w.sso.region, w.sso.account, w.sso.role
	case methodProcess:
		words, err := splitWords(w.command.value)
		if err != nil || len(words) == 0 {
			return map[string]any{"method": "unusable"}
		}
		list := []any{}
		for _, word := range words {
			list = append(list, word)
		}
		told["words"] = list
	case methodRole, methodWeb:
		told["arn"], told["external_id"], told["session"] = w.role.arn, w.role.externalID, w.role.session
		told["seconds"] = w.role.duration.Seconds()
		if w.source != nil {
			if told["source"] = tellWay(w.source); reflect.DeepEqual(told["source"], map[string]any{"method": "unusable"}) {
				return map[string]any{"method": "unusable"}
			}
		}
	}
	return told
}
