package lsp_test

import (
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/cloudops/cloudops/lsp/lsptest"
	"github.com/cloudops/cloudops/scanner/awstest"
)

var update = flag.Bool("update", false, "write what scenarios print as what they expect")

func TestScenarios(t *testing.T) {
	lsptest.Run(t, "testdata", emulator(t), *update)
}

// emulator starts the AWS of the tests. Without it CI fails and others skip.
func emulator(t *testing.T) *awstest.Server {
	t.Helper()
	server, err := awstest.Start(t.Context(), "")
	if errors.Is(err, awstest.ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return server
}
