package kind

import (
	"cmp"
	"strings"
)

// environments are what people call the environments of an estate.
var environments = map[string]string{
	"production": "production", "prod": "production", "prd": "production",
	"staging": "staging", "stage": "staging", "stg": "staging",
	"development": "development", "dev": "development",
	"quality": "quality", "qa": "quality",
	"test": "test", "testing": "test",
}

// EnvironmentNamed is the environment that a word stands for, such as
// production for "prd"; "" if it stands for none.
func EnvironmentNamed(word string) string {
	return environments[strings.ToLower(strings.TrimSpace(word))]
}

// Environment is what the tags env, environment or stage say of the environment
// that a resource belongs to: production for "prd", any other value in lower
// case, "" if they say nothing.
func Environment(tags map[string]string) string {
	said := ""
	for k, v := range tags {
		switch strings.ToLower(strings.TrimSpace(k)) {
		case "env", "environment", "stage":
			// Of several tags the gravest counts, whatever their order.
			e := cmp.Or(EnvironmentNamed(v), strings.ToLower(strings.TrimSpace(v)))
			if said == "" || e == "production" {
				said = e
			}
		}
	}
	return said
}
