//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/mattn/go-runewidth"

	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/scanner"
)

var colours = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// However narrow the terminal and long the text, progress stays on one line,
// which is empty at the end.
func TestProgressStaysOnOneLine(t *testing.T) {
	for _, width := range []uint16{20, 60, 80, 200} {
		person, tty, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		if err := pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: width}); err != nil {
			t.Fatal(err)
		}
		seen := make(chan string)
		go func() {
			var b bytes.Buffer
			_, _ = io.Copy(&b, person) // ends with an error once the terminal is closed
			seen <- b.String()
		}()
		p := (&app{stdio: stdio{err: tty}}).progress()
		if p.bar.IsStarted() {
			t.Error("it is drawn before anything is known, over a question that may stand there")
		}
		for done := range 3 {
			note, err := json.Marshal(daemon.ProgressNote{Progress: scanner.Progress{Done: done, Total: 183, Resources: 11,
				Message: "ec2_instance in af-south-1 of \x1b[31m東京の本番アカウント, " + strings.Repeat("long ", 20)}})
			if err != nil {
				t.Fatal(err)
			}
			p.note(daemon.NoteProgress.Name, note)
			p.bar.Write()
		}
		p.done()
		_ = tty.Close()
		text := <-seen
		_ = person.Close()
		for frame := range strings.SplitSeq(text, "\r") {
			if n := runewidth.StringWidth(colours.ReplaceAllString(frame, "")); n > int(width) {
				t.Errorf("%d columns: %d cells: %q", width, n, frame)
			}
		}
		if strings.Contains(text, "\n") || strings.Contains(text, "\x1b[31m") || !strings.Contains(text, "2 / 183") {
			t.Errorf("%d columns: %q", width, text)
		}
		if end := text[strings.LastIndex(strings.TrimSuffix(text, "\r"), "\r"):]; strings.Trim(colours.ReplaceAllString(end, ""), " \r") != "" {
			t.Errorf("%d columns: the line is left as %q", width, end)
		}
	}
}
