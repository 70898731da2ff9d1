package lsp_test

import (
	"flag"
	"os"
	"testing"

	"github.com/cloudops/cloudops/lsp/lsptest"
	"github.com/cloudops/cloudops/scanner/awstest"
)

var update = flag.Bool("update", false, "write what scenarios print as what they expect")

func TestScenarios(t *testing.T) {
	lsptest.Run(t, "testdata", awstest.Shared(t), *update)
}

func TestMain(m *testing.M) { os.Exit(awstest.Main(m)) }
