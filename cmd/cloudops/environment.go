package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/scanner/session"
)

// environment is what this process's AWS_* variables say, read as the AWS CLI
// reads them. It goes with the session; the daemon never reads its own.
func environment(c config) session.Environment {
	home, _ := os.UserHomeDir()
	env := session.Environment{
		EndpointURL:      os.Getenv("AWS_ENDPOINT_URL"),
		ServiceEndpoints: map[string]string{},
		IgnoreEndpoints:  os.Getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
		UseFIPS:          os.Getenv("AWS_USE_FIPS_ENDPOINT"),
		UseDualStack:     os.Getenv("AWS_USE_DUALSTACK_ENDPOINT"),
		ConfigFile:       pathVariable("AWS_CONFIG_FILE", home),
		CredentialsFile:  pathVariable("AWS_SHARED_CREDENTIALS_FILE", home),
		CABundle:         os.Getenv("AWS_CA_BUNDLE"),
		AccessKeyID:      os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretAccessKey:  os.Getenv("AWS_SECRET_ACCESS_KEY"),
		Home:             home,
		Workspaces:       workspaces(),
	}
	_, env.SessionToken = firstEnv("AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")
	env.RegionVariable, env.Region = firstEnv("AWS_REGION", "AWS_DEFAULT_REGION")
	_, profile := firstEnv("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
	switch {
	case env.AccessKeyID != "":
		env.SettingsProfile = profile // keys count more; the region is still the profile's
	case profile != "":
		env.Profile = profile
	default:
		env.Profile = rememberedProfile(c.home)
	}
	for variable, service := range session.EndpointVariables() {
		if u := os.Getenv(variable); u != "" {
			env.ServiceEndpoints[service] = u
		}
	}
	for _, variable := range slices.Concat(session.ProxyVariables, session.MachineVariables) {
		if os.Getenv(variable) != "" {
			env.Ignored = append(env.Ignored, variable)
		}
	}
	return env
}

// pathVariable is the file that a variable names, from where this process
// stands. A variable that is set and empty says that there is no file.
func pathVariable(name, home string) string {
	path, set := os.LookupEnv(name)
	switch {
	case !set:
		return ""
	case path == "":
		return os.DevNull
	}
	path = os.Expand(path, func(variable string) string {
		if value, set := os.LookupEnv(variable); set {
			return value
		}
		return "$" + variable
	})
	if rest, ok := strings.CutPrefix(path, "~/"); ok && home != "" {
		path = filepath.Join(home, rest)
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// workspaces is the one that this process stands in: such a folder may have
// chosen the variables, and must not choose credentials or the home.
func workspaces() []string {
	dir, err := os.Getwd()
	if err != nil {
		return nil
	}
	if w := daemon.WorkspaceOf(dir); w != "" {
		return []string{w}
	}
	return nil
}

// firstEnv is the first variable that is set, and what it says.
func firstEnv(names ...string) (name, value string) {
	for _, n := range names {
		if v := os.Getenv(n); v != "" {
			return n, v
		}
	}
	return "", ""
}
