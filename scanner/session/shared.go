package session

import "strings"

// shared is what a session's AWS files say, read as the AWS CLI reads them
// whatever the SDK's own reader makes of the same files.
type shared struct {
	profiles map[string]profile
	// sessions are the sections [sso-session NAME], services those [services NAME].
	sessions, services map[string]settings
}

// profile is what the files say of one profile.
type profile struct {
	name string
	// settings are those of both files; of two the credentials file's counts.
	settings
	// config and credentials are what each file has for itself: a pair of keys
	// is taken from one of them.
	config, credentials settings
}

// load reads the files.
func (f sharedFiles) load() (shared, error) {
	all := shared{profiles: map[string]profile{}, sessions: map[string]settings{}, services: map[string]settings{}}
	sections, err := f.config.sections()
	if err != nil {
		return all, err
	}
	// Of two headers for one profile the later counts, whole, and none that the
	// AWS CLI passes over.
	loose := func(header string) (prefix, name string, ok bool) {
		if _, _, strict := strictName(header); strict {
			return "", "", false
		}
		return looseName(header)
	}
	for _, read := range []func(string) (string, string, bool){loose, strictName} {
		for _, s := range sections {
			switch prefix, name, ok := read(s.name); {
			case !ok:
			case prefix == "profile":
				all.profiles[name] = profile{name: name, settings: s.settings, config: s.settings}
			case prefix == "sso-session":
				all.sessions[name] = s.settings
			default:
				all.services[name] = s.settings
			}
		}
	}
	if sections, err = f.credentials.sections(); err != nil {
		return all, err
	}
	for _, s := range sections {
		p := profile{name: s.name, settings: settings{}, config: all.profiles[s.name].config, credentials: s.settings}
		for _, from := range []settings{p.config, p.credentials} {
			for name, value := range from {
				p.settings[name] = value
			}
		}
		all.profiles[s.name] = p
	}
	return all, nil
}

// prefixes begin the headers of the sections that have a name.
var prefixes = []string{"profile", "sso-session", "services"}

// strictName takes a header such as [profile NAME] apart, as the AWS CLI does:
// the name may be in quotes, and only default goes without the word profile.
func strictName(header string) (prefix, name string, ok bool) {
	if header == defaultProfile {
		return "profile", header, true
	}
	for _, prefix := range prefixes {
		if strings.HasPrefix(header, prefix) {
			words, err := splitWords(header)
			if err == nil && len(words) == 2 {
				return prefix, words[1], true
			}
		}
	}
	return "", "", false
}

// looseName reads the headers that the AWS CLI passes over: a name of several
// words without quotes, or with a quote in it.
func looseName(header string) (prefix, name string, ok bool) {
	for _, prefix := range prefixes {
		rest, begins := strings.CutPrefix(header, prefix)
		if name := trimSpace(rest); begins && name != "" && name != rest {
			return prefix, name, true
		}
	}
	return "", "", false
}
