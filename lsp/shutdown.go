package lsp

import (
	"context"
	"time"

	"go.lsp.dev/protocol"
)

// parentPoll is how often the editor's process is looked for.
const parentPoll = time.Second

func (s *server) shutdown(context.Context, *protocol.LSPAny) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = ending
	return nil, nil
}

func (s *server) exit(context.Context, *protocol.LSPAny) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exited = true
	s.stream.Leave()
	return nil, nil
}

// follow ends the server when the editor's process is gone. One that can't be
// seen from the start runs elsewhere, such as outside of a container.
func (s *server) follow(pid int) {
	if !alive(pid) {
		return
	}
	s.spawn(func() {
		tick := time.NewTicker(parentPoll)
		defer tick.Stop()
		for {
			select {
			case <-s.ctx.Done():
				return
			case <-tick.C:
				if !alive(pid) {
					s.log.Info("the editor's process is gone")
					s.stop()
					return
				}
			}
		}
	})
}
