package storage

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cloudops/cloudops/storage/seal"
)

// EmbeddingConfig says what makes the vectors of the estate. This version makes
// none: any provider but none is refused.
type EmbeddingConfig struct {
	// Provider is none, openai, server, local or fastembed.
	Provider string `json:"provider,omitempty" yaml:"provider,omitempty"`
	// Model is the name of the model, such as text-embedding-3-small.
	Model string `json:"model,omitempty" yaml:"model,omitempty"`
	// Dimension is that of its vectors; it is vector_size of the estate's
	// collection, which is also the default.
	Dimension int `json:"dimension,omitempty" yaml:"dimension,omitempty"`
	// GenerationMode is on_write, on_search or lazy.
	GenerationMode string `json:"generation_mode,omitempty" yaml:"generation_mode,omitempty"`
	// BaseURL is for openai, where it is not OpenAI's own.
	BaseURL string `json:"base_url,omitempty" yaml:"base_url,omitempty"`
	// Endpoint is the address of a server, or of a local one on this machine.
	Endpoint string `json:"endpoint,omitempty" yaml:"endpoint,omitempty"`
	// APIKey says where the key for openai or server is; it never stands here.
	APIKey seal.Source `json:"api_key,omitzero" yaml:"api_key,omitempty"`
	// ModelPath is the folder of a model for fastembed.
	ModelPath string `json:"model_path,omitempty" yaml:"model_path,omitempty"`
}

// noEmbedding is the provider that makes no vectors.
const noEmbedding = "none"

func (c EmbeddingConfig) withDefaults(dimension int) EmbeddingConfig {
	if c.Provider = strings.ToLower(c.Provider); c.Provider == "" {
		c.Provider = noEmbedding
	}
	if c.Dimension == 0 {
		c.Dimension = dimension
	}
	switch strings.ToLower(strings.ReplaceAll(c.GenerationMode, "_", "")) {
	case "", "onwrite":
		c.GenerationMode = "on_write"
	case "onsearch":
		c.GenerationMode = "on_search"
	case "lazy":
		c.GenerationMode = "lazy"
	}
	return c
}

// validate wants the defaults filled in.
func (c EmbeddingConfig) validate(dimension int) error {
	uses, known := map[string][]string{
		noEmbedding: {}, "openai": {"api_key", "base_url"}, "server": {"api_key", "endpoint"}, "local": {"endpoint"}, "fastembed": {"model_path"},
	}[c.Provider]
	if !known {
		return fmt.Errorf("embedding.provider %q: must be none, openai, server, local or fastembed", c.Provider)
	}
	var errs []error
	if c.Dimension != dimension {
		errs = append(errs, fmt.Errorf("embedding.dimension %d: must be vector_size of collections.aws_estate, which is %d", c.Dimension, dimension))
	}
	if !slices.Contains([]string{"on_write", "on_search", "lazy"}, c.GenerationMode) {
		errs = append(errs, fmt.Errorf("embedding.generation_mode %q: must be on_write, on_search or lazy", c.GenerationMode))
	}
	for _, f := range []struct {
		name     string
		set      bool
		required bool
	}{
		{"api_key", c.APIKey != seal.Source{}, c.Provider == "openai"},
		{"base_url", c.BaseURL != "", false},
		{"endpoint", c.Endpoint != "", true},
		{"model_path", c.ModelPath != "", false},
	} {
		used := slices.Contains(uses, f.name)
		switch {
		case f.set && !used && c.Provider != noEmbedding:
			errs = append(errs, fmt.Errorf("embedding.%s: the provider %s has none", f.name, c.Provider))
		case used && f.required && !f.set:
			errs = append(errs, fmt.Errorf("embedding.%s: the provider %s needs it", f.name, c.Provider))
		}
	}
	if c.Provider != noEmbedding && c.Provider != "fastembed" && c.Model == "" {
		errs = append(errs, fmt.Errorf("embedding.model: the provider %s needs it", c.Provider))
	}
	errs = append(errs, address("embedding.base_url", c.BaseURL, false), address("embedding.endpoint", c.Endpoint, c.Provider == "local"))
	if c.ModelPath != "" && !filepath.IsAbs(c.ModelPath) {
		errs = append(errs, fmt.Errorf("embedding.model_path %q: must be an absolute path", c.ModelPath))
	}
	if c.Provider != noEmbedding {
		errs = append(errs, fmt.Errorf("embedding.provider %q: this version makes no vectors yet; set it to none, and the estate is searched by words", c.Provider))
	}
	return errors.Join(errs...)
}

// address refuses what is no web address, and one that would carry a secret or
// send what is stored in the clear.
func address(at, text string, here bool) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%s: must be an address such as https://example.com/v1", at)
	}
	loopback := slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
	switch {
	case u.User != nil:
		return fmt.Errorf("%s: must hold no password; api_key says where the key is", at)
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%s: must end with its path", at)
	case here && !loopback:
		return fmt.Errorf("%s: the provider local is on this machine; for another, use the provider server", at)
	case u.Scheme == "http" && !loopback:
		return fmt.Errorf("%s: http is for this machine only; use https", at)
	}
	return nil
}
