package storagetest_test

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/cloudops/cloudops/storage/engine"
	"github.com/cloudops/cloudops/storage/seal"
	"github.com/cloudops/cloudops/storage/storagetest"
)

func TestMain(m *testing.M) {
	storagetest.ServeIfStarted()
	os.Exit(m.Run())
}

func client(t testing.TB, cfg *qdrant.Config, options ...grpc.DialOption) *qdrant.Client {
	t.Helper()
	cfg.PoolSize, cfg.KeepAliveTime, cfg.SkipCompatibilityCheck = 1, -1, true
	cfg.GrpcOptions = append(options, grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)), grpc.WithNoProxy())
	c, err := qdrant.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestTheEngineInMemory(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	keys, err := seal.Unlock(home, seal.Source{File: filepath.Join(filepath.Dir(home), "key", "kek")})
	if err != nil {
		t.Fatal(err)
	}
	eng, err := engine.Open(filepath.Join(keys.Home(), "data", "qdrant"), keys)
	if err != nil {
		t.Fatal(err)
	}
	l := bufconn.Listen(1 << 16)
	served := make(chan error, 1)
	go func() { served <- eng.Serve(l) }()
	t.Cleanup(func() {
		if err := eng.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
	storagetest.Run(t, client(t, &qdrant.Config{Host: "passthrough:///engine"},
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) })))
}

func TestTheEngineOverTCP(t *testing.T) {
	const key = "a key for this test"
	server, err := storagetest.NewStandIn(filepath.Join(t.TempDir(), "storage"), "QDRANT__SERVICE__API_KEY="+key)
	if err == nil {
		defer server.Kill()
		err = server.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	host, port := split(t, server.Address)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, wrong := range []string{"", "another key"} {
		c := client(t, &qdrant.Config{Host: host, Port: port, APIKey: wrong})
		if _, err := c.HealthCheck(ctx); err != nil {
			t.Errorf("the health check wants a key: %v", err)
		}
		if _, err := c.ListAliases(ctx); status.Code(err) != codes.Unauthenticated {
			t.Errorf("with the key %q: %v", wrong, err)
		}
	}
	storagetest.Run(t, client(t, &qdrant.Config{Host: host, Port: port, APIKey: key}))
}

// TestARealQdrant puts the server of CLOUDOPS_TEST_QDRANT_URL to the same
// suite, such as http://127.0.0.1:6334, with CLOUDOPS_TEST_QDRANT_API_KEY.
func TestARealQdrant(t *testing.T) {
	raw := os.Getenv("CLOUDOPS_TEST_QDRANT_URL")
	if raw == "" {
		t.Log("CLOUDOPS_TEST_QDRANT_URL names no server; the engine is the only Qdrant that was tested")
		return
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	host, port := split(t, u.Host)
	c := client(t, &qdrant.Config{Host: host, Port: port, APIKey: os.Getenv("CLOUDOPS_TEST_QDRANT_API_KEY"), UseTLS: u.Scheme == "https"})
	hello, err := c.HealthCheck(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log("Qdrant", hello.GetVersion())
	storagetest.Run(t, c)
}

func split(t *testing.T, addr string) (string, int) {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return host, n
}
