package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cloudops/cloudops/scanner"
	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

// BenchmarkResolve is the daemon's part of a hover on 20k resources.
func BenchmarkResolve(b *testing.B) {
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
	rs := make([]storage.Resource, 20_000)
	for i := range rs {
		id := fmt.Sprintf("i-%017x", i)
		rs[i] = storage.Resource{
			Type: "ec2_instance", ID: id, ARN: "arn:aws:ec2:us-west-2:123456789012:instance/" + id, Name: fmt.Sprintf("web-%d", i),
			AccountID: "123456789012", Region: "us-west-2", Service: "ec2", State: "running",
			Tags: map[string]string{"env": "production"}, LastSynced: time.Now(),
		}
	}
	if _, err := store.Estate.BulkUpsert(b.Context(), rs); err != nil {
		b.Fatal(err)
	}
	c, err := Local(b.Context(), ServerConfig{Home: home, Open: func(context.Context) (*Parts, error) {
		return &Parts{Store: store, Scanner: sc, Close: store.Close}, nil
	}}, ClientConfig{Kind: "editor"})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		var r ResolveResult
		token := fmt.Sprintf("i-%017x", i%len(rs))
		if err := c.Call(b.Context(), EstateResolve.Name, ResolveParams{Tokens: []string{token}}, &r); err != nil || len(r.Records) != 1 {
			b.Fatal(r, err)
		}
	}
}
