package main

import (
	"os"

	"github.com/cloudops/cloudops/lsp/daemon"
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

func firstEnv(names ...string) string {
	for _, n := range names {
		if v := os.Getenv(n); v != "" {
			return v
		}
	}
	return ""
}
