package main

import (
	"os"

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
		Home:            home,
	}
}

func firstEnv(names ...string) string {
	for _, n := range names {
		if v := os.Getenv(n); v != "" {
			return v
		}
	}
	return ""
}
