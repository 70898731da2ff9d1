package scanner

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// awsHost matches the hosts that only AWS's own APIs have. A suffix would not
// do: customers choose names below amazonaws.com, for buckets, APIs and hosts.
var awsHost = regexp.MustCompile(`^(ec2|rds|s3|sts|sso|oidc|portal\.sso|signin)(-fips)?(\.dualstack)?(\.[a-z]{2}(-[a-z]+)+-[0-9]{1,2})?\.(amazonaws\.com|amazonaws\.com\.cn|api\.aws)$`)

// endpoints is where a session's profile reaches the services.
type endpoints struct {
	// base serves all services; "" means AWS.
	base string
	// service has the exceptions, by the SDK's id such as "ec2" or "sso_oidc".
	service map[string]string
}

// GetServiceBaseEndpoint tells the SDK's clients the exception for a service.
func (e endpoints) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	u, ok := e.service[strings.ReplaceAll(strings.ToLower(sdkID), " ", "_")]
	return u, ok, nil
}

// String is what a home is bound to: "aws", or the endpoints in a fixed order.
func (e endpoints) String() string {
	s := e.base
	if s == "" {
		s = "aws"
	}
	for _, name := range slices.Sorted(maps.Keys(e.service)) {
		s += " " + name + "=" + e.service[name]
	}
	return s
}

// shown is what cards say: nothing for AWS.
func (e endpoints) shown() string {
	if s := e.String(); s != "aws" {
		return s
	}
	return ""
}

// endpoint checks a URL and brings it to one form.
func (c Config) endpoint(raw string) (string, error) {
	u, err := parseEndpoint(raw)
	if err != nil {
		return "", err
	}
	switch {
	case loopback(u.Hostname()):
		return u.String(), nil
	case u.Scheme == "https" && u.Port() == "" && awsHost.MatchString(u.Hostname()):
		return u.String(), nil
	}
	for _, allowed := range c.Endpoints {
		if a, err := parseEndpoint(allowed); err == nil && a.Scheme == u.Scheme && a.Host == u.Host {
			return u.String(), nil
		}
	}
	return "", explained(ErrEndpoint, codeEndpoint,
		fmt.Sprintf("the endpoint %s is neither AWS nor on this machine", u),
		"if you trust it, name it under aws.endpoints in config.yaml", nil)
}

// parseEndpoint reads a URL of scheme, host and path; a malformed one is not
// repeated in the error, since it may hold a password.
func parseEndpoint(raw string) (*url.URL, error) {
	refuse := func(why string) (*url.URL, error) {
		return nil, explained(ErrEndpoint, codeEndpoint, "the endpoint "+why,
			"write it like http://127.0.0.1:4566", nil)
	}
	u, err := url.Parse(strings.TrimSpace(raw))
	switch {
	case err != nil:
		return refuse("is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return refuse("must begin with https:// or http://")
	case u.Hostname() == "":
		return refuse("names no host")
	case u.User != nil:
		return refuse("must not hold a user name or password")
	case u.RawQuery != "" || u.Fragment != "":
		return refuse("must not have a query or fragment")
	}
	u.Host = strings.ToLower(u.Host)
	if (u.Scheme == "https" && u.Port() == "443") || (u.Scheme == "http" && u.Port() == "80") {
		u.Host = strings.TrimSuffix(u.Host, ":"+u.Port())
	}
	u.Host = strings.TrimSuffix(u.Host, ":")
	u.Path = strings.TrimRight(u.Path, "/")
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}, nil
}
