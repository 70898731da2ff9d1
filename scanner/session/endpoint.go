package session

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

// IsAWS reports whether a URL is of a host that only AWS's own APIs have.
func IsAWS(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && isAWS(u)
}

func isAWS(u *url.URL) bool {
	return u.Scheme == "https" && u.Port() == "" && awsHost.MatchString(u.Hostname())
}

// called are the services that cloudops calls, by the SDK's ids. The endpoints
// of others don't matter, and must not bind a home: a shell may have them for
// other programs.
var called = []string{"ec2", "rds", "s3", "sts", "sso", "sso_oidc", "signin"}

// endpoints is where a session's profile reaches the services.
type endpoints struct {
	// base serves all services; "" means AWS.
	base string
	// service has the exceptions, by the SDK's id such as "ec2" or "sso_oidc".
	service map[string]string
}

// serviceID is the SDK's id of a service as variables and files write it.
func serviceID(sdkID string) string { return strings.ReplaceAll(strings.ToLower(sdkID), " ", "_") }

// of is where a service is reached; "" means AWS.
func (e endpoints) of(service string) string {
	if u := e.service[service]; u != "" {
		return u
	}
	return e.base
}

// GetServiceBaseEndpoint tells the SDK's clients the exception for a service.
func (e endpoints) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	u, ok := e.service[serviceID(sdkID)]
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

// endpointPrefix begins the variables of endpoints of single services.
const endpointPrefix = "AWS_ENDPOINT_URL_"

// EndpointVariables are the variables of endpoints of single services, with the
// SDK's ids of these.
func EndpointVariables() map[string]string {
	variables := map[string]string{}
	for _, service := range called {
		variables[endpointPrefix+strings.ToUpper(service)] = service
	}
	return variables
}

// endpoints reads where each service is: for that a variable of its own counts
// first, then AWS_ENDPOINT_URL, then what the profile says of the service, and
// of all.
func (c Config) endpoints(env Environment, all shared, p profile) (endpoints, error) {
	e := endpoints{service: map[string]string{}}
	if env.variant(env.IgnoreEndpoints, p, "ignore_configured_endpoint_urls") {
		return e, nil
	}
	var err error
	for _, name := range called {
		if raw := env.ServiceEndpoints[name]; raw != "" {
			if e.service[name], err = c.endpoint(raw, endpointPrefix+strings.ToUpper(name)); err != nil {
				return e, err
			}
		}
	}
	if env.EndpointURL != "" {
		e.base, err = c.endpoint(env.EndpointURL, "AWS_ENDPOINT_URL")
		return e, err
	}
	if own := p.word("endpoint_url"); own != "" {
		if e.base, err = c.endpoint(own, p.settings["endpoint_url"].where()); err != nil {
			return e, err
		}
	}
	if !p.has("services") {
		return e, nil
	}
	section := all.services[p.get("services")]
	if len(section) == 0 {
		return e, p.refuse("services", "names services that there are not", "add the section [services NAME], or remove the line")
	}
	for _, name := range called {
		if raw := section[name].nested["endpoint_url"]; raw != "" && e.service[name] == "" {
			if e.service[name], err = c.endpoint(raw, section[name].where()); err != nil {
				return e, err
			}
		}
	}
	return e, nil
}

// endpoint checks a URL and brings it to one form. from says where it stands.
func (c Config) endpoint(raw, from string) (string, error) {
	u, err := parseEndpoint(raw, from)
	if err != nil {
		return "", err
	}
	switch {
	case loopback(u.Hostname()):
		return u.String(), nil
	case isAWS(u):
		return u.String(), nil
	}
	for _, allowed := range c.Endpoints {
		if a, err := parseEndpoint(allowed, "aws.endpoints"); err == nil && a.Scheme == u.Scheme && a.Host == u.Host {
			return u.String(), nil
		}
	}
	return "", Explained(ErrEndpoint, CodeEndpoint,
		fmt.Sprintf("the endpoint %s (%s) is neither AWS nor on this machine", u, from),
		"if you trust it, name it under aws.endpoints in config.yaml", nil)
}

// parseEndpoint reads a URL of scheme, host and path; a malformed one is not
// repeated in the error, since it may hold a password.
func parseEndpoint(raw, from string) (*url.URL, error) {
	refuse := func(why string) (*url.URL, error) {
		return nil, Explained(ErrEndpoint, CodeEndpoint, "the endpoint ("+from+") "+why,
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
