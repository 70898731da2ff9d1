package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/cloudops/cloudops/storage/engine"
)

const helloTimeout = 3 * time.Second

func openEmbedded(ctx context.Context, cfg Config) (*Endpoint, error) {
	eng, err := engine.Open(cfg.Dir, cfg.Keys)
	if err != nil {
		return nil, err
	}
	l := bufconn.Listen(1 << 20)
	e := &Endpoint{engine: eng, served: make(chan error, 1)}
	go func() { e.served <- eng.Serve(l) }()
	e.Client, err = qdrant.NewClient(&qdrant.Config{
		// The name is never resolved; the client appends a port to it.
		Host: "passthrough:///embedded", PoolSize: 1, KeepAliveTime: -1, SkipCompatibilityCheck: true,
		GrpcOptions: append([]grpc.DialOption{
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
			grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window),
		}, cfg.Options...),
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to Qdrant: %w", err), e.Close())
	}
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	if _, err := e.Client.HealthCheck(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to Qdrant: %w", err), e.Close())
	}
	return e, nil
}
