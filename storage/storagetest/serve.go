package storagetest

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/cloudops/cloudops/storage/engine"
	"github.com/cloudops/cloudops/storage/seal"
)

// Serve stands in for the qdrant binary: it serves the engine over TCP until
// it is interrupted, configured by the variables that the binary knows:
// QDRANT__SERVICE__HOST, QDRANT__SERVICE__GRPC_PORT, QDRANT__SERVICE__API_KEY,
// QDRANT__SERVICE__ENABLE_TLS with QDRANT__TLS__CERT, _KEY and _CA_CERT, and
// QDRANT__STORAGE__STORAGE_PATH. It is for a TestMain to call.
func Serve() error {
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	home := os.Getenv("QDRANT__STORAGE__STORAGE_PATH")
	keys, err := seal.Unlock(home, seal.Source{File: filepath.Join(filepath.Dir(home), filepath.Base(home)+"-key", "kek")})
	if err != nil {
		return fmt.Errorf("unlocking %s: %w", home, err)
	}
	var options []grpc.ServerOption
	if key := os.Getenv("QDRANT__SERVICE__API_KEY"); key != "" {
		options = append(options, grpc.ChainUnaryInterceptor(requireKey(key)))
	}
	if os.Getenv("QDRANT__SERVICE__ENABLE_TLS") == "true" {
		secure, err := serverTLS()
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(credentials.NewTLS(secure)))
	}
	eng, err := engine.Open(filepath.Join(home, "data", "qdrant"), keys, options...)
	if err != nil {
		return err
	}
	host := os.Getenv("QDRANT__SERVICE__HOST")
	if host == "" {
		host = "127.0.0.1" // the binary would listen everywhere
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, os.Getenv("QDRANT__SERVICE__GRPC_PORT")))
	if err != nil {
		return errors.Join(err, eng.Close())
	}
	fmt.Println("listening on", l.Addr())
	served := make(chan error, 1)
	go func() { served <- eng.Serve(l) }()
	<-stop.Done()
	return errors.Join(eng.Close(), <-served)
}

// requireKey lets in whoever sends the key. As with the binary, the health
// check needs none.
func requireKey(key string) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		sent := metadata.ValueFromIncomingContext(ctx, "api-key")
		if info.FullMethod != "/qdrant.Qdrant/HealthCheck" && (len(sent) != 1 || subtle.ConstantTimeCompare([]byte(sent[0]), []byte(key)) != 1) {
			return nil, status.Error(codes.Unauthenticated, "Invalid API key or JWT")
		}
		return next(ctx, req)
	}
}

// serverTLS is the server's certificate, and, with QDRANT__TLS__CA_CERT, whose
// clients are let in.
func serverTLS() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(os.Getenv("QDRANT__TLS__CERT"), os.Getenv("QDRANT__TLS__KEY"))
	if err != nil {
		return nil, err
	}
	c := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if ca := os.Getenv("QDRANT__TLS__CA_CERT"); ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		c.ClientCAs.AppendCertsFromPEM(pem)
	}
	return c, nil
}
