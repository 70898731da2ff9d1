package session

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// way is how a profile gets its credentials: what the files say, checked, before
// anyone is asked.
type way struct {
	method  string
	profile string
	// id, secret and token are the keys of methodKeys.
	id, secret, token string
	// role is assumed on top of source, or by the token in tokenFile.
	role      role
	source    *way
	tokenFile string
	sso       ssoLogin
	// session is that of methodLogin.
	session string
	// command is the process.
	command setting
}

// role is what STS is asked for.
type role struct {
	arn, session, externalID string
	duration                 time.Duration
}

// ssoLogin is what IAM Identity Center is asked for.
type ssoLogin struct {
	// name is that of the session; "" for a login by address alone.
	name                            string
	startURL, region, account, role string
}

// resolver finds the ways of profiles.
type resolver struct {
	env    Environment
	shared shared
	// visited are the profiles that led here, the first one named by the person.
	visited []string
}

// refuse says what is wrong with a profile, at the setting that is.
func (p profile) refuse(of, why, hint string) error {
	at := ""
	if p.has(of) {
		at = " (" + p.settings[of].where() + ")"
	}
	return Explained(ErrNoCredentials, CodeCredentials, "profile "+p.name+" "+why+at, hint, nil)
}

// way goes by the order of the AWS CLI. lending says that another profile's
// role is to be assumed with the credentials. What depends on the machine or on
// the daemon's own environment is refused.
func (r *resolver) way(p profile, lending bool) (*way, error) {
	w := &way{method: p.method(lending), profile: p.name}
	var err error
	switch w.method {
	case methodRole:
		w.role, w.source, err = r.role(p)
	case methodWeb:
		w.role, w.tokenFile, err = r.webIdentity(p)
	case methodSSO:
		w.sso, err = r.sso(p)
	case methodLogin:
		w.session = p.get("login_session")
	case methodProcess:
		w.command = p.settings["credential_process"]
	case methodKeys:
		w.id, w.secret, w.token, err = keysOf(p)
	default:
		err = p.refuse("", "has no credentials", "run: aws configure --profile "+p.name)
	}
	return w, err
}

// keysOf takes a pair of keys out of one file.
func keysOf(p profile) (id, secret, token string, err error) {
	from := p.credentials
	if !from.has("aws_access_key_id") {
		from = p.config
	}
	id, secret = from.word("aws_access_key_id"), from.word("aws_secret_access_key")
	for _, half := range []struct{ value, name, other string }{
		{id, "aws_access_key_id", "aws_secret_access_key"}, {secret, "aws_secret_access_key", "aws_access_key_id"},
	} {
		if half.value == "" {
			return "", "", "", p.refuse(half.other, "has one half of its keys: "+half.name+" is missing",
				"write both into the same file: aws configure --profile "+p.name)
		}
	}
	token = from.word("aws_security_token")
	if !from.has("aws_security_token") {
		token = from.word("aws_session_token")
	}
	return id, secret, token, nil
}

// role is assumed with the credentials of a source, which may itself be a role.
func (r *resolver) role(p profile) (role, *way, error) {
	if p.get("role_arn") == "" {
		return role{}, nil, p.refuse("role_arn", "has an empty role_arn", "write the ARN of the role there, or remove the line")
	}
	source, err := r.source(p)
	if err == nil && p.has("mfa_serial") {
		err = p.refuse("mfa_serial", "needs MFA, which can't be asked for here", "use a profile without mfa_serial, such as one of SSO")
	}
	return roleOf(p), source, err
}

func roleOf(p profile) role {
	// The name of the session is fixed, so that the caller's ARN stays the same
	// between runs.
	want := role{arn: p.word("role_arn"), session: application, externalID: p.word("external_id"), duration: time.Hour}
	if name := p.word("role_session_name"); name != "" {
		want.session = name
	}
	if seconds, err := strconv.Atoi(p.word("duration_seconds")); err == nil {
		want.duration = time.Duration(seconds) * time.Second
	}
	return want
}

// source is what a role is assumed with.
func (r *resolver) source(p profile) (*way, error) {
	name, machine := p.get("source_profile"), p.word("credential_source")
	switch {
	case p.has("source_profile") && p.has("credential_source"):
		return nil, p.refuse("credential_source", "has both source_profile and credential_source", "remove one of the two lines")
	case machine == "Environment" && r.env.AccessKeyID != "" && r.env.SecretAccessKey != "":
		return r.env.way(), nil
	case machine == "Environment":
		return nil, p.refuse("credential_source", "takes its credentials from variables (credential_source), and there are none",
			"set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	case p.has("credential_source"):
		return nil, p.refuse("credential_source", "takes its credentials from the machine (credential_source), which cloudops does not",
			"use a profile with source_profile, SSO or keys")
	case name == "":
		return nil, p.refuse("role_arn", "has a role_arn and nothing to assume the role with", "add source_profile, naming a profile with credentials")
	}
	source, known := r.shared.profiles[name]
	if !known {
		name = p.word("source_profile")
		source, known = r.shared.profiles[name]
	}
	if !known {
		return nil, p.refuse("source_profile", fmt.Sprintf("has the source_profile %q, which there is not", name),
			"correct the name; cloudops profiles lists those there are")
	}
	r.visited = append(r.visited, p.name)
	// A profile may name itself, for the keys beside its role.
	if name == p.name && source.method(true) == methodRole || name != p.name && slices.Contains(r.visited, name) {
		return nil, p.refuse("source_profile", "can't get credentials, since source_profile goes in a circle: "+strings.Join(append(r.visited, name), " -> "),
			"let one of them name a profile with keys, SSO or a process")
	}
	return r.way(source, true)
}

func (r *resolver) webIdentity(p profile) (role, string, error) {
	if p.get("role_arn") == "" {
		return role{}, "", p.refuse("web_identity_token_file", "has a web_identity_token_file and no role_arn", "add the role to assume with the token")
	}
	token, _, err := r.env.trusted(p.get("web_identity_token_file"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = p.refuse("web_identity_token_file", "has no web identity token: the file is not there", "have the token issued, or correct web_identity_token_file")
	case err != nil:
		err = Explained(ErrNoCredentials, CodeCredentials, "the web identity token of profile "+p.name+" can't be used: "+Explain(err).Message, Explain(err).Hint, err)
	}
	return roleOf(p), token, err
}

// sso is a login by a session that several profiles share, or by an address
// alone. What the session says and the profile repeats must be the same.
func (r *resolver) sso(p profile) (ssoLogin, error) {
	name, common := p.get("sso_session"), settings{}
	if p.has("sso_session") {
		known := false
		if common, known = r.shared.sessions[name]; !known {
			name = p.word("sso_session")
			common, known = r.shared.sessions[name]
		}
		if !known {
			return ssoLogin{}, p.refuse("sso_session", "names an sso_session that there is not",
				"add it as [sso-session NAME], or run: aws configure sso --profile "+p.name)
		}
	}
	for _, of := range slices.Sorted(maps.Keys(common)) {
		if p.has(of) && p.get(of) != common.get(of) {
			return ssoLogin{}, p.refuse(of, "has another "+of+" than its sso_session ("+common[of].where()+")", "remove one of the two lines")
		}
	}
	both := maps.Clone(common)
	maps.Copy(both, p.settings)
	missing := slices.DeleteFunc([]string{"sso_account_id", "sso_role_name", "sso_start_url", "sso_region"}, func(of string) bool { return both.get(of) != "" })
	if len(missing) > 0 {
		return ssoLogin{}, p.refuse("", "is for SSO and lacks "+strings.Join(missing, ", "), "run: aws configure sso --profile "+p.name)
	}
	login := ssoLogin{
		name: name, startURL: both.word("sso_start_url"), region: both.word("sso_region"),
		account: both.word("sso_account_id"), role: both.word("sso_role_name"),
	}
	return login, checkRegion(login.region, "the sso_region of profile "+p.name+" ("+both["sso_region"].where()+")")
}

// way is by the keys that the session brought in variables.
func (env Environment) way() *way {
	return &way{method: methodKeys, profile: environmentProfile, id: env.AccessKeyID, secret: env.SecretAccessKey, token: env.SessionToken}
}
