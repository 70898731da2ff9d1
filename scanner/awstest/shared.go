package awstest

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
)

// shared is the server of all tests of a package.
var shared struct {
	sync.Once
	server *Server
	err    error
}

// Shared is one server for all tests of a package, which StopShared ends. A test that
// asks for it is left out of short runs and, unless in CI, where moto is not
// installed.
func Shared(t testing.TB) *Server {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the emulated AWS")
	}
	shared.Do(func() { shared.server, shared.err = Start(context.Background(), "") })
	switch {
	case errors.Is(shared.err, ErrNotInstalled) && os.Getenv("CI") == "":
		t.Skip(shared.err)
	case shared.err != nil:
		t.Fatal(shared.err)
	}
	return shared.server
}

// StopShared is for a TestMain to call when the tests have run.
func StopShared() {
	if shared.server != nil {
		shared.server.Stop()
	}
}

// Main runs the tests of a package and stops what they share.
func Main(m *testing.M) int {
	defer StopShared()
	return m.Run()
}
