//go:build unix

package vscode_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/cloudops/cloudops/lsp/lsptest"
	"github.com/cloudops/cloudops/scanner/awstest"
)

// BenchmarkOpening prints how long VS Code takes to start the extension and to
// show its panel, beside an extension with an empty view in the same windows.
func BenchmarkOpening(b *testing.B) {
	for range b.N {
		e := open(b, measured(b), emptyExtension(b))
		e.scan(b)
		var f struct {
			First, Again struct{ CloudOps, Empty []float64 }
			Activation   map[string][]float64
		}
		e.figures(b, "opening", &f)
		t := newTable(b, "milliseconds, medians", "cloudops", "empty view", "ratio", "budget")
		t.ratio("click to text box, first in a window", f.First.CloudOps, f.First.Empty, "500")
		t.ratio("click to text box, hidden before", f.Again.CloudOps, f.Again.Empty, "500")
		ours, empty := f.Activation["CloudOps"], f.Activation["Empty"]
		t.ratio("activation, as VS Code says", ours, empty, "100")
		delete(f.Activation, "CloudOps")
		delete(f.Activation, "Empty")
		for _, name := range slices.Sorted(maps.Keys(f.Activation)) {
			took := f.Activation[name]
			if len(took) == len(ours) {
				t.row("of VS Code's own "+name, "", fmt.Sprintf("%.1f", median(took)), fmt.Sprintf("%.2fx", median(ours)/max(median(took), 1)), "")
			}
		}
		t.print()
	}
}

// BenchmarkConversation prints the longest tasks of the page while a person goes
// through a conversation of 1,000 messages, beside the same as plain text: one of
// 50 ms is what a person notices. Waiting is for the other programs of the machine.
func BenchmarkConversation(b *testing.B) {
	for range b.N {
		e := open(b, measured(b), emptyExtension(b))
		e.scan(b)
		e.env = append(e.env, "VSCODE_CONVERSATION="+e.converse(b, 1000))
		type task struct{ Name, Side string }
		var f []struct {
			task
			Wall, CPU float64
		}
		e.figures(b, "conversation", &f)
		var names []string
		cpu, wall := map[task][]float64{}, map[task][]float64{}
		for _, x := range f {
			if !slices.Contains(names, x.Name) {
				names = append(names, x.Name)
			}
			cpu[x.task] = append(cpu[x.task], x.CPU)
			wall[x.task] = append(wall[x.task], x.Wall)
		}
		t := newTable(b, "longest task, ms of processor, medians", "cloudops", "plain text", "ratio", "budget", "with waiting")
		for _, name := range names {
			ours := task{name, "ours"}
			t.ratio(name, cpu[ours], cpu[task{name, "plain"}], "50", fmt.Sprintf("%.1f", median(wall[ours])))
		}
		t.print()
	}
}

// BenchmarkSize prints how large the extension is and what makes it so.
func BenchmarkSize(b *testing.B) {
	vsix, err := filepath.Abs(measured(b))
	if err != nil {
		b.Fatal(err)
	}
	for range b.N {
		cmd := exec.Command(lsptest.Tool(b, "CLOUDOPS_NODE", "../../.tools/node/bin/node"), "tests/bench/sizes.mjs")
		cmd.Env = append(os.Environ(), "CLOUDOPS_VSIX="+vsix)
		out, err := cmd.CombinedOutput()
		if err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		t := newTable(b, "bytes", "as it is", "gzip", "largest parts")
		for _, line := range strings.Split(string(out), "\n") {
			if cells := strings.Split(line, "\t"); len(cells) == 4 {
				t.row(cells...)
				size, err := strconv.ParseFloat(cells[1], 64)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(size, "B-"+filepath.Base(cells[0]))
			}
		}
		t.print()
	}
}

// measured is the VSIX whose extension and program are measured.
func measured(b *testing.B) string {
	b.Helper()
	path := os.Getenv("CLOUDOPS_BENCH_VSIX")
	if path == "" {
		b.Fatal("CLOUDOPS_BENCH_VSIX names the extension to measure; `make bench` sets it")
	}
	return path
}

// emptyExtension packs the extension that ours is compared with.
func emptyExtension(b *testing.B) string {
	b.Helper()
	vsce, err := filepath.Abs("node_modules/@vscode/vsce/vsce")
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "empty.vsix")
	cmd := exec.Command(lsptest.Tool(b, "CLOUDOPS_NODE", "../../.tools/node/bin/node"), vsce,
		"package", "--no-dependencies", "--allow-missing-repository", "--skip-license", "--out", path)
	cmd.Dir = "tests/bench/empty"
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("packing the empty extension: %v\n%s", err, out)
	}
	return path
}

// scan fills the store of the editor's world.
func (e *editor) scan(b *testing.B) {
	b.Helper()
	cmd := exec.Command(e.program, "scan")
	cmd.Env = e.env
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("scanning: %v\n%s", err, out)
	}
}

// prompts are what the long conversation goes through again and again; the last
// is one with a pasted log.
var prompts = []string{
	"list all resources", "what is stopped?", "describe " + awstest.MainDB, "how many databases are there?",
	"which resources are tagged env=production?", "help", "what could I do about orders-db?", "describe web-1",
	"list all resources in us-west-2", "how do I start " + awstest.MainDB + "?",
	"Why this?\n\n" + strings.Repeat("2026-01-10T12:00:00Z ERROR web: connecting to the database: i/o timeout after 30 s\n", 100),
}

// converse has a conversation of so many messages, both sides counted.
func (e *editor) converse(b *testing.B, messages int) (id string) {
	b.Helper()
	server := lsptest.Start(b, func(in io.ReadCloser, out io.Writer) error {
		cmd := exec.Command(e.program, "lsp")
		cmd.Env, cmd.Stdin, cmd.Stdout = e.env, in, out
		return cmd.Run()
	})
	server.Call("initialize", map[string]any{"processId": os.Getpid(), "capabilities": map[string]any{}}, nil)
	server.Notify("initialized", map[string]any{})
	for i := range messages / 2 {
		params := map[string]any{"prompt": prompts[i%len(prompts)]}
		if id != "" {
			params["conversation_id"] = id
		}
		var answer struct {
			Conversation string `json:"conversation_id"`
		}
		server.Call("cloudops/conversation/send", params, &answer)
		id = answer.Conversation
	}
	return id
}

// figures runs a script of tests/bench and reads its last line.
func (e *editor) figures(b *testing.B, script string, into any) {
	b.Helper()
	out, err := e.run(b, filepath.Join("tests/bench", script+".ts"))
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	out = bytes.TrimSpace(out)
	if err := json.Unmarshal(out[bytes.LastIndexByte(out, '\n')+1:], into); err != nil {
		b.Fatalf("reading the figures: %v\n%s", err, out)
	}
}

// table is what people read; the same figures are metrics for tools.
type table struct {
	b *testing.B
	w *tabwriter.Writer
}

func newTable(b *testing.B, columns ...string) table {
	t := table{b, tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)}
	fmt.Fprintln(t.w)
	t.row(columns...)
	b.ReportMetric(0, "ns/op")
	return t
}

func (t table) row(cells ...string) { fmt.Fprintf(t.w, "%s\t\n", strings.Join(cells, "\t")) }

func (t table) ratio(name string, ours, other []float64, budget string, more ...string) {
	a, c := median(ours), median(other)
	t.row(append([]string{name, fmt.Sprintf("%.1f", a), fmt.Sprintf("%.1f", c), fmt.Sprintf("%.2fx", a/max(c, 1)), budget}, more...)...)
	t.b.ReportMetric(a, "ms-"+strings.NewReplacer(" ", "-", ",", "", "'", "").Replace(name))
}

// print ends the table with how busy the machine is, which all of it suffers from.
func (t table) print() {
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		t.row("load of the machine: " + string(load[:4]))
	}
	t.w.Flush()
}

func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(all))[len(all)/2]
}
