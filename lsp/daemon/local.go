package daemon

import (
	"context"
	"net"
)

// Local is client and daemon in one process, joined by pipes: the same
// requests, the same lock on the home, no socket. Closing the client ends both.
func Local(ctx context.Context, server ServerConfig, client ClientConfig) (*Client, error) {
	s, err := newServer(server)
	if err != nil {
		return nil, err
	}
	running, end := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.run(running, nil)
	}()
	c := newClient(client)
	c.dial = func(context.Context) (net.Conn, error) {
		near, far := net.Pipe()
		s.adopt(far)
		return near, nil
	}
	c.finish = func() {
		end()
		<-done
	}
	return c, c.first(ctx)
}
