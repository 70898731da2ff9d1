package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.lsp.dev/jsonrpc2"
)

// pipes joins a child's two pipes into one stream.
type pipes struct {
	io.Reader
	io.WriteCloser
}

// hover opens a Terraform file in `cloudops lsp`, as an editor does, and prints
// what hovering each word shows.
func (d *demo) hover(ctx context.Context, words ...string) error {
	file := filepath.Join(d.dir, "work", "main.tf")
	var text strings.Builder
	for _, w := range words {
		fmt.Fprintf(&text, "# depends on %s\n", w)
	}
	text.WriteString("resource \"aws_db_instance\" \"main\" {\n  identifier = \"" + words[0] + "\"\n}\n")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("writing main.tf: %w", err)
	}
	cmd := d.command(ctx, "lsp")
	cmd.Stderr = nil
	in, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("starting cloudops lsp: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("starting cloudops lsp: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting cloudops lsp: %w", err)
	}
	conn := jsonrpc2.NewConn(jsonrpc2.NewStream(pipes{out, in}))
	conn.Go(ctx, func(context.Context, *jsonrpc2.Request) (any, error) { return nil, nil })

	type object = map[string]any
	uri := "file://" + file
	call := func(method string, params, result any) error {
		if _, err := conn.Call(ctx, method, params, result); err != nil {
			return fmt.Errorf("asking cloudops lsp: %w", err)
		}
		return nil
	}
	if err := call("initialize", object{"processId": os.Getpid(), "rootUri": "file://" + filepath.Dir(file), "capabilities": object{
		"textDocument": object{"hover": object{"contentFormat": []string{"markdown"}}}}}, nil); err != nil {
		return err
	}
	if err := conn.Notify(ctx, "initialized", object{}); err != nil {
		return fmt.Errorf("telling cloudops lsp: %w", err)
	}
	if err := conn.Notify(ctx, "textDocument/didOpen", object{"textDocument": object{
		"uri": uri, "languageId": "terraform", "version": 1, "text": text.String()}}); err != nil {
		return fmt.Errorf("telling cloudops lsp: %w", err)
	}
	for i, line := range strings.Split(text.String(), "\n") {
		for _, w := range words {
			at := strings.Index(line, w)
			if at < 0 {
				continue
			}
			var h *struct {
				Contents struct {
					Value string `json:"value"`
				} `json:"contents"`
			}
			if err := call("textDocument/hover", object{"textDocument": object{"uri": uri}, "position": object{"line": i, "character": at + 1}}, &h); err != nil {
				return err
			}
			if h == nil {
				return fmt.Errorf("hovering %s showed nothing", w)
			}
			fmt.Printf("main.tf:%d: %s\n%s\n\n", i+1, line, indent(h.Contents.Value))
			break
		}
	}
	if err := call("shutdown", nil, nil); err != nil {
		return err
	}
	if err := conn.Notify(ctx, "exit", nil); err != nil {
		return fmt.Errorf("ending cloudops lsp: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("ending cloudops lsp: %w", err)
	}
	return nil
}

func indent(s string) string { return "    | " + strings.ReplaceAll(s, "\n", "\n    | ") }
