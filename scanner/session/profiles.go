package session

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/cloudops/cloudops/storage/kind"
)

const (
	// environmentProfile is the name of the keys that a session brought itself.
	environmentProfile = "environment"
	// defaultProfile is used when nobody names one.
	defaultProfile = "default"
)

// Profiles lists the profiles of the client's shared files, by name; keys in
// its variables appear as the profile "environment".
func (c *Client) Profiles() ([]Profile, error) {
	files, err := c.env.files()
	if err != nil {
		return nil, err
	}
	all, err := files.load()
	if err != nil {
		return nil, err
	}
	list := all.list(c.env)
	for i := range list {
		list[i].AccountID = c.manager.accounts.of(list[i].Name)
	}
	return list, nil
}

// Choose are the profiles that are meant, once each: "*" is all that have
// credentials, and none named is the client's own. Unread are then those that
// could be meant too, since no account of theirs is known.
func (c *Client) Choose(named []string) (chosen, unread []string, err error) {
	unchosen := len(named) == 0
	if unchosen {
		named = []string{c.env.selected()}
	}
	known, err := c.Profiles()
	if err != nil {
		return nil, nil, err
	}
	for _, p := range known {
		if unchosen && p.Kind != methodNone && p.AccountID == "" && !slices.Contains(named, p.Name) {
			unread = append(unread, p.Name)
		}
	}
	add := func(name string) {
		if !slices.Contains(chosen, name) {
			chosen = append(chosen, name)
		}
	}
	for _, name := range named {
		if name == "*" {
			for _, p := range known {
				if p.Kind != methodNone {
					add(p.Name)
				}
			}
			continue
		}
		if !slices.ContainsFunc(known, func(p Profile) bool { return p.Name == name }) {
			return nil, nil, unknownProfile(c.env, name, !unchosen || c.env.Profile != "", known)
		}
		add(name)
	}
	if len(chosen) == 0 {
		return nil, nil, noProfiles(c.env)
	}
	return chosen, unread, nil
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
		return Explained(ErrNoCredentials, CodeProfile, "no profile is chosen, and none is called "+defaultProfile,
			"choose with --profile or AWS_PROFILE, or for good with: cloudops profiles select NAME (cloudops scan --profile '*' reads all); there are: "+there, nil)
	}
	return Explained(ErrUnknownProfile, CodeProfile, fmt.Sprintf("%q", name), "choose from: "+there, nil)
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
	return Explained(ErrNoCredentials, CodeCredentials, why,
		"run `aws configure` or `aws configure sso`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", nil)
}

// CheckRegion refuses what can't be a region: names become parts of host names.
func CheckRegion(name string) error { return checkRegion(name, "") }

// checkRegion is CheckRegion of a name that stands somewhere; "" for one that
// was asked for.
func checkRegion(name, from string) error {
	if kind.RegionShaped(name) {
		return nil
	}
	// It may be a key that was put there by mistake.
	shown := scrub(fmt.Sprintf("%q", name))
	hint := "write it like us-west-2"
	switch plain := strings.ToLower(trimSpace(name)); {
	case !kind.RegionShaped(plain):
	case strings.HasSuffix(name, "\r"):
		hint = "take the carriage return off its end, which a file with the line ends of Windows brings"
	case plain != strings.ToLower(name):
		hint = "take the blanks around it away"
	default:
		hint = "write it in small letters: " + plain
	}
	if from == "" {
		return Explained(ErrOptions, CodeFailed, shown+" is not the name of a region", hint, nil)
	}
	return Explained(ErrSettings, CodeProfile, from+" is "+shown+", which is not the name of a region", hint, nil)
}
