package scanner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

const (
	// environmentProfile is the name of the keys that a session brought itself.
	environmentProfile = "environment"
	// defaultProfile is used when nobody names one.
	defaultProfile = "default"
)

// Profiles lists the profiles of the session's shared files, by name; keys in
// the session's variables appear as the profile "environment".
func (s *Scanner) Profiles(env Environment) ([]Profile, error) {
	files, err := env.files()
	if err != nil {
		return nil, err
	}
	list, err := profiles(env, files)
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i].AccountID = s.ledger.accountOf(list[i].Name)
	}
	return list, nil
}

func profiles(env Environment, files sharedFiles) ([]Profile, error) {
	all, err := files.load()
	if err != nil {
		return nil, err
	}
	return all.list(env), nil
}

// list is the profiles by name, with the keys of the session among them.
func (all shared) list(env Environment) []Profile {
	selected := env.selected()
	list := make([]Profile, 0, len(all.profiles)+1)
	for name, p := range all.profiles {
		if name == environmentProfile && env.AccessKeyID != "" {
			continue
		}
		list = append(list, Profile{Name: name, Kind: p.kind(), Region: p.word("region"), MFA: p.get("mfa_serial") != "", Selected: name == selected})
	}
	if env.AccessKeyID != "" {
		region, _ := env.region(all.profiles[env.beside()])
		list = append(list, Profile{Name: environmentProfile, Kind: environmentProfile, Region: region, Selected: selected == environmentProfile})
	}
	slices.SortFunc(list, func(a, b Profile) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// selected is the profile that a session uses when none is named.
func (env Environment) selected() string {
	switch {
	case env.Profile != "":
		return env.Profile
	case env.AccessKeyID != "":
		return environmentProfile
	}
	return defaultProfile
}

// beside is the profile whose settings go with the keys of the session.
func (env Environment) beside() string {
	if env.SettingsProfile != "" {
		return env.SettingsProfile
	}
	return defaultProfile
}

// region is where a profile of the session is at work, and what says so; both
// are "" where nothing does.
func (env Environment) region(p profile) (name, from string) {
	if env.Region != "" {
		if env.RegionVariable != "" {
			return env.Region, env.RegionVariable
		}
		return env.Region, "AWS_REGION"
	}
	if name = p.word("region"); name != "" {
		return name, fmt.Sprintf("the region of profile %s (%s)", p.name, p.settings["region"].where())
	}
	return "", ""
}

// The ways in which a profile gets credentials. A method is also the kind of
// the profile for people, but for methodLogin.
const (
	methodRole    = "role"
	methodWeb     = "web-identity"
	methodSSO     = "sso"
	methodLogin   = "login"
	methodProcess = "process"
	methodKeys    = "keys"
	methodNone    = "none"
)

// method is how the AWS CLI would get credentials for a profile: of several
// ways the first counts. A profile with keys lends them to another's role even
// where it has a role itself.
func (p profile) method(lending bool) string {
	lends := lending && (p.has("aws_access_key_id") || p.has("aws_secret_access_key"))
	switch {
	case p.has("role_arn") && !p.has("web_identity_token_file") && !lends:
		return methodRole
	case p.get("web_identity_token_file") != "":
		return methodWeb
	case p.has("sso_account_id") || p.has("sso_role_name"):
		return methodSSO
	case p.credentials.has("aws_access_key_id"):
		return methodKeys
	case p.has("login_session"):
		return methodLogin
	case p.has("credential_process"):
		return methodProcess
	case p.has("aws_access_key_id"), p.has("aws_secret_access_key"):
		return methodKeys
	case p.has("sso_session"), p.has("sso_start_url"):
		return methodSSO
	}
	return methodNone
}

func (p profile) kind() string {
	if m := p.method(false); m != methodLogin {
		return m
	}
	return methodSSO
}

// unknownProfile names the profiles that there are. asked says whether anyone
// named it: without, it is the one that is used when none is.
func unknownProfile(env Environment, name string, asked bool, known []Profile) error {
	names := []string{}
	for _, p := range known {
		names = append(names, p.Name)
	}
	if len(names) > 20 {
		names = append(names[:20], fmt.Sprintf("and %d more", len(names)-20))
	}
	there := strings.Join(names, ", ")
	switch {
	case len(names) == 0:
		return noProfiles(env)
	case !asked:
		return explained(ErrNoCredentials, codeProfile, "no profile is chosen, and none is called "+defaultProfile,
			"choose with --profile or AWS_PROFILE, or for good with: cloudops profiles select NAME (cloudops scan --profile '*' reads all); there are: "+there, nil)
	}
	return explained(ErrUnknownProfile, codeProfile, fmt.Sprintf("%q", name), "choose from: "+there, nil)
}

// ProxyVariables are the variables of proxies that other programs follow.
var ProxyVariables = []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"}

// MachineVariables tell other programs where the machine has credentials.
var MachineVariables = []string{
	"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_WEB_IDENTITY_TOKEN_FILE",
}

// ignored are those of the variables that are set and don't count.
func (env Environment) ignored(of []string) []string {
	return slices.DeleteFunc(slices.Clone(of), func(name string) bool { return !slices.Contains(env.Ignored, name) })
}

// IgnoredProxies are the variables of proxies that are set and don't count.
func (env Environment) IgnoredProxies() []string { return env.ignored(ProxyVariables) }

// noProfiles says what there is instead of credentials.
func noProfiles(env Environment) error {
	why := "there are no AWS profiles and no keys"
	for _, one := range []struct{ path, variable string }{
		{env.ConfigFile, "AWS_CONFIG_FILE"}, {env.CredentialsFile, "AWS_SHARED_CREDENTIALS_FILE"},
	} {
		if _, err := os.Stat(one.path); one.path != "" && errors.Is(err, fs.ErrNotExist) {
			why += "; " + one.variable + " names " + one.path + ", which is not there"
		}
	}
	if env.SecretAccessKey != "" && env.AccessKeyID == "" {
		why += "; AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID"
	}
	if machine := env.ignored(MachineVariables); len(machine) > 0 {
		why += "; " + strings.Join(machine, ", ") + " does not count, since cloudops takes no credentials from the machine that it runs on"
	}
	return explained(ErrNoCredentials, codeCredentials, why,
		"run `aws configure` or `aws configure sso`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", nil)
}
