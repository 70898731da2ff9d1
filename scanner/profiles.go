package scanner

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"gopkg.in/ini.v1"
)

// environmentProfile is the name of the keys that a session brought itself.
const environmentProfile = "environment"

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
	// merged has the keys of each profile; those of the credentials file win.
	merged := map[string]map[string]string{}
	for _, f := range []struct {
		path   string
		config bool
	}{{files.config, true}, {files.credentials, false}} {
		if f.path == "" {
			continue
		}
		content, err := readShared(f.path)
		if err != nil {
			return nil, err
		}
		sections, err := parseShared(f.path, content)
		if err != nil {
			return nil, err
		}
		for _, section := range sections {
			name, ok := profileName(section.Name(), f.config)
			if !ok {
				continue
			}
			if merged[name] == nil {
				merged[name] = map[string]string{}
			}
			for _, key := range section.Keys() {
				merged[name][strings.ToLower(key.Name())] = key.Value()
			}
		}
	}
	if env.AccessKeyID != "" {
		merged[environmentProfile] = nil
	}
	selected := env.selected()
	list := make([]Profile, 0, len(merged))
	for name, keys := range merged {
		p := Profile{Name: name, Kind: kind(keys), Region: keys["region"], MFA: keys["mfa_serial"] != "", Selected: name == selected}
		if name == environmentProfile && env.AccessKeyID != "" {
			p = Profile{Name: name, Kind: environmentProfile, Region: env.Region, Selected: name == selected}
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b Profile) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// selected is the profile that a session uses when none is named.
func (env Environment) selected() string {
	switch {
	case env.Profile != "":
		return env.Profile
	case env.AccessKeyID != "":
		return environmentProfile
	}
	return "default"
}

// profileName is the profile that a section stands for. In the config file only
// default goes without the word profile; other sections are not profiles.
func profileName(section string, config bool) (string, bool) {
	if !config {
		return section, section != "" && !strings.HasPrefix(section, "profile ")
	}
	if section == "default" {
		return section, true
	}
	fields := strings.Fields(section)
	if len(fields) < 2 || fields[0] != "profile" {
		return "", false
	}
	name := strings.TrimSpace(strings.TrimPrefix(section, "profile"))
	return strings.Trim(name, `"'`), true
}

func kind(keys map[string]string) string {
	switch {
	case keys["role_arn"] != "" && keys["web_identity_token_file"] != "":
		return "web-identity"
	case keys["role_arn"] != "":
		return "role"
	case keys["aws_access_key_id"] != "" && keys["aws_secret_access_key"] != "":
		return "keys"
	case keys["sso_session"] != "" || keys["sso_start_url"] != "" || keys["login_session"] != "":
		return "sso"
	case keys["credential_process"] != "":
		return "process"
	}
	return "none"
}

// parseShared reads an AWS file. The error names the line, never its content,
// since it may be a key.
func parseShared(path string, content []byte) ([]*ini.Section, error) {
	load := func(b []byte) (*ini.File, error) {
		return ini.LoadSources(ini.LoadOptions{
			AllowNestedValues:        true,
			IgnoreContinuation:       true,
			SpaceBeforeInlineComment: true,
			PreserveSurroundedQuote:  true,
			KeyValueDelimiters:       "=",
		}, b)
	}
	file, err := load(content)
	if err == nil {
		// The first section is what stands before any header; it is no profile.
		sections := file.Sections()
		return slices.DeleteFunc(sections, func(s *ini.Section) bool { return s.Name() == ini.DefaultSection }), nil
	}
	lines := strings.SplitAfter(string(content), "\n")
	bad := sort.Search(len(lines), func(n int) bool {
		_, err := load([]byte(strings.Join(lines[:n+1], "")))
		return err != nil
	})
	return nil, explained(ErrNoCredentials, codeProfile,
		fmt.Sprintf("the AWS file %s is malformed at line %d", path, min(bad+1, len(lines))), "correct that line: it is neither [a section] nor name = value", nil)
}

// unknownProfile names the profiles that there are.
func unknownProfile(name string, known []Profile) error {
	names := []string{}
	for _, p := range known {
		names = append(names, p.Name)
	}
	switch {
	case len(names) == 0:
		return explained(ErrNoCredentials, codeCredentials, "there are no AWS profiles and no keys",
			"run `aws configure` or `aws configure sso`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", nil)
	case len(names) > 20:
		names = append(names[:20], fmt.Sprintf("and %d more", len(names)-20))
	}
	return explained(ErrUnknownProfile, codeProfile, fmt.Sprintf("%q", name), "choose from: "+strings.Join(names, ", "), nil)
}
