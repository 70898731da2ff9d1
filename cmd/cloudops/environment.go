package main

import (
	"os"
	"path/filepath"

	"github.com/cloudops/cloudops/scanner"
)

// environment is what this process's AWS_* variables say. It goes with the
// session; the daemon never reads its own.
func environment(c config) scanner.Environment {
	home, _ := os.UserHomeDir()
	profile := firstEnv("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
	if profile == "" && os.Getenv("AWS_ACCESS_KEY_ID") == "" {
		profile = rememberedProfile(c.home)
	}
	return scanner.Environment{
		Profile:         profile,
		Region:          firstEnv("AWS_REGION", "AWS_DEFAULT_REGION"),
		EndpointURL:     os.Getenv("AWS_ENDPOINT_URL"),
		ConfigFile:      os.Getenv("AWS_CONFIG_FILE"),
		CredentialsFile: os.Getenv("AWS_SHARED_CREDENTIALS_FILE"),
		CABundle:        os.Getenv("AWS_CA_BUNDLE"),
		AccessKeyID:     os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    os.Getenv("AWS_SESSION_TOKEN"),
		ProxyVariable:   firstEnv("HTTPS_PROXY", "https_proxy") != "",
		Home:            home,
		Workspaces:      workspaces(),
	}
}

// workspaces is the checkout, or the folder with settings for the shell, that
// this process stands in: such a folder may have chosen the variables, and must
// not choose credentials or the home. The user's own home directory is none.
func workspaces() []string {
	dir, err := os.Getwd()
	if err != nil {
		return nil
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	// $HOME may be one of the variables that the folder chose.
	user := scanner.UserHome()
	if real, err := filepath.EvalSymlinks(user); err == nil {
		user = real
	}
	for ; dir != user && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		for _, mark := range [...]string{".git", ".hg", ".jj", ".svn", ".envrc"} {
			if _, err := os.Lstat(filepath.Join(dir, mark)); err == nil {
				return []string{dir}
			}
		}
	}
	return nil
}

func firstEnv(names ...string) string {
	for _, n := range names {
		if v := os.Getenv(n); v != "" {
			return v
		}
	}
	return ""
}
