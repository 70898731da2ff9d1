package lsp

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/scanner"
	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

// BenchmarkHoverWhileScanning compares hovers at rest with those while what a
// scan finds, 100,000 resources, is written page by page.
func BenchmarkHoverWhileScanning(b *testing.B) {
	const scanned, page, atRest = 100_000, 500, 5_000
	home := b.TempDir()
	if err := os.Chmod(home, 0o700); err != nil {
		b.Fatal(err)
	}
	keys, err := seal.Unlock(home, seal.Source{File: filepath.Join(b.TempDir(), "key")})
	if err != nil {
		b.Fatal(err)
	}
	store, err := storage.Open(b.Context(), storage.Config{DataPath: filepath.Join(home, "data")}, keys, services.Kinds())
	if err != nil {
		b.Fatal(err)
	}
	sc, err := scanner.New(scanner.Config{}, store.Estate, keys)
	if err != nil {
		b.Fatal(err)
	}
	write := func(from, to int) {
		rs := make([]storage.Resource, 0, to-from)
		for i := from; i < to; i++ {
			id := fmt.Sprintf("i-%017x", i)
			rs = append(rs, storage.Resource{
				Type: "ec2_instance", ID: id, ARN: "arn:aws:ec2:us-west-2:123456789012:instance/" + id, Name: fmt.Sprintf("web-%d", i),
				AccountID: "123456789012", Region: "us-west-2", Service: "ec2", State: "running", LastSynced: time.Now(),
				Tags: map[string]string{"env": "production"},
			})
		}
		if _, err := store.Estate.BulkUpsert(b.Context(), rs); err != nil {
			b.Error(err)
		}
	}
	write(0, 1000)

	in, toServer := pipe(b)
	fromServer, out := pipe(b)
	s := newServer(context.Background(), Config{In: in, Out: out, Dial: func(ctx context.Context, c daemon.ClientConfig) (*daemon.Client, error) {
		return daemon.Local(ctx, daemon.ServerConfig{Home: home, Open: func(context.Context) (*daemon.Parts, error) {
			return &daemon.Parts{Store: store, Scanner: sc, Close: store.Close}, nil
		}}, c)
	}})
	ended := make(chan error, 1)
	go func() { ended <- s.serve() }()
	b.Cleanup(func() {
		toServer.Close()
		fromServer.Close()
		<-ended
	})
	replies := bufio.NewReader(fromServer)
	call := func(method, params string) string {
		if err := ask(toServer, 1, method, params); err != nil {
			b.Fatal(err)
		}
		return reply(b, replies)
	}
	call("initialize", `{"processId":null,"rootUri":null,"capabilities":{"textDocument":{"hover":{"contentFormat":["markdown"]}}}}`)
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "  instance = \"i-%017x\" # web\n", i)
	}
	s.documents.put(newDocument(mainTF, 1, text.String()))
	s.records.wake()
	for !strings.Contains(call("textDocument/hover", hoverAt(500)), "web-500") {
		time.Sleep(10 * time.Millisecond)
	}

	hovers := func(until func(n int) bool) []time.Duration {
		var took []time.Duration
		for n := 0; !until(n); n++ {
			line, start := n*7%1000, time.Now()
			got := call("textDocument/hover", hoverAt(line))
			took = append(took, time.Since(start))
			if !strings.Contains(got, fmt.Sprintf("web-%d", line)) {
				b.Fatalf("hovering line %d showed %s", line, got)
			}
		}
		slices.Sort(took)
		return took
	}
	for b.Loop() {
		rest := hovers(func(n int) bool { return n == atRest })
		over := make(chan struct{})
		go func() {
			defer close(over)
			for i := 1000; i < scanned; i += page {
				write(i, min(i+page, scanned))
			}
		}()
		scan := hovers(func(int) bool {
			select {
			case <-over:
				return true
			default:
				return false
			}
		})
		for _, percent := range []int{50, 99} {
			at := func(took []time.Duration) float64 { return float64(took[len(took)*percent/100]) }
			b.ReportMetric(at(scan)/at(rest), fmt.Sprintf("x-rest-p%d", percent))
		}
		b.ReportMetric(float64(len(scan)), "hovers")
	}
}
