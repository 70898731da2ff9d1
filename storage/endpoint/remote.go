package endpoint

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"

	"github.com/qdrant/go-client/qdrant"
)

const grpcPort = 6334

// Address is the host and port of a remote Qdrant and whether TLS is used, or
// what is wrong with its URL. Plain connections stay on this machine.
func Address(raw string) (host string, port int, secure bool, err error) {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return "", 0, false, errors.New("it is empty: give the gRPC address of your Qdrant, such as https://qdrant.example:6334")
	case err != nil:
		return "", 0, false, errors.New("it is no URL: give one such as https://qdrant.example:6334")
	case u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "":
		return "", 0, false, errors.New("it must begin with https:// and name a host (http:// is for this machine only)")
	case u.User != nil:
		return "", 0, false, errors.New("it must not carry a password: use qdrant.api_key")
	case u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/":
		return "", 0, false, errors.New("it must end after the port")
	}
	port = grpcPort
	if p := u.Port(); p != "" {
		if port, err = strconv.Atoi(p); err != nil || port < 1 || port > 65535 {
			return "", 0, false, fmt.Errorf("there is no port %q", p)
		}
	}
	host, secure = u.Hostname(), u.Scheme == "https"
	if ip := net.ParseIP(host); !secure && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", 0, false, errors.New("it would cross the network without TLS: use https://")
	}
	return host, port, secure, nil
}

func openRemote(ctx context.Context, cfg Config) (*Endpoint, error) {
	host, port, secure, err := Address(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("qdrant.url: %w", err)
	}
	security, err := clientTLS(cfg)
	if err != nil {
		return nil, err
	}
	if host == "localhost" {
		host = "127.0.0.1" // whatever the resolver says
		security.ServerName = "localhost"
	}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		host = "[" + host + "]"
	}
	mend := "check qdrant.url, and that the server runs"
	if secure && cfg.CertFile == "" {
		// Its refusal may be lost with the connection on which it comes.
		mend += ", and whether it asks for a client certificate (qdrant.tls)"
	}
	e := &Endpoint{link: newLink(mend+"; it is tried again by itself", cfg.Ready)}
	e.Client, err = qdrant.NewClient(&qdrant.Config{
		Host: host, Port: port, APIKey: cfg.APIKey, UseTLS: secure, TLSConfig: security,
		PoolSize: 1, SkipCompatibilityCheck: true, GrpcOptions: append(e.link.options(), cfg.Options...),
	})
	if err != nil {
		return nil, err
	}
	e.link.client = e.Client
	if err := e.link.connect(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// clientTLS is what a server is checked by, and who we are to it.
func clientTLS(cfg Config) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading qdrant.tls.ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("qdrant.tls.ca_file %s holds no certificate in PEM", cfg.CAFile)
		}
	}
	if (cfg.CertFile == "") != (cfg.KeyFile == "") {
		return nil, errors.New("qdrant.tls: cert_file and key_file go together")
	}
	if cfg.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("reading qdrant.tls.cert_file and key_file: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}
