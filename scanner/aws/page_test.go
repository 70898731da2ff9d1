package aws

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cloudops/cloudops/storage/kind"
)

var update = flag.Bool("update", false, "write docs/resources.md as the types say it")

// docs/resources.md says of each type what its descriptor says.
func TestTheResourcesPageIsTheDescriptors(t *testing.T) {
	const page = "../../docs/resources.md"
	want := resourcesPage()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the types say; write it with: go test ./scanner/aws -run ResourcesPage -update", page)
	}
}

func resourcesPage() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	code := func(s string) string { return "`" + s + "`" }
	codes := func(list []string) string {
		var out []string
		for _, s := range list {
			out = append(out, code(s))
		}
		return strings.Join(out, ", ")
	}
	line("# Resources")
	line("")
	line("What cloudops knows of each type of AWS resource. The page is written from the descriptors in `scanner/aws`")
	line("(`go test ./scanner/aws -run ResourcesPage -update`), which hovers, menus, chat, cards and search read too.")
	line("")
	line("| type | read by | what can be done | people call it |")
	line("|---|---|---|---|")
	var unread []string
	for _, k := range Kinds().All() {
		if k.Unread {
			unread = append(unread, k.Label.Many)
			continue
		}
		var verbs []string
		for _, a := range k.Actions {
			verbs = append(verbs, a.Verb.Is)
		}
		line("| [%s](#%s) | %s | %s | %s |", code(k.Type), k.Type, code(k.Reads), strings.Join(verbs, ", "), strings.Join(k.Words, ", "))
	}
	line("")
	line("Scans don't read %s yet; whoever asks for one is told so.", strings.Join(unread, ", "))
	for _, k := range Kinds().All() {
		if k.Unread {
			continue
		}
		line("")
		line("## %s", k.Type)
		line("")
		line("%s of the service %s.", strings.ToUpper(k.Label.Article()[:1])+k.Label.Article()[1:], code(k.Service))
		if k.Global {
			line("One list holds those of all regions.")
		}
		ends := "its name"
		if k.ARN != "" {
			ends = code(k.ARN + "…")
		}
		line("Code names it in %s; its ARN ends in %s.", codes(k.IaC), ends)
		line("")
		line("| fact | what it is | in the summary | bound by an approval |")
		line("|---|---|---|---|")
		bound := " " + strings.Join(k.Bound(), " ") + " "
		for _, f := range k.Facts {
			shown, binds := "", ""
			if f.Show != "" || f.Count.One != "" {
				shown = "yes"
			}
			if strings.Contains(bound, " "+f.Name+" ") {
				binds = "yes"
			}
			line("| %s | %s | %s | %s |", code(f.Name), f.Label, shown, binds)
		}
		for _, phase := range []kind.Phase{kind.Up, kind.Down, kind.Moving, kind.Broken, kind.Gone} {
			var names []string
			for _, s := range k.States {
				if s.Phase == phase {
					names = append(names, s.Name)
				}
			}
			if len(names) > 0 {
				line("\nStates that mean %s: %s.", phase, codes(names))
			}
		}
		for _, a := range k.Actions {
			line("\n**%s** (%s): %s", a.Verb.Title(), code(k.Service+" "+a.Operation), a.Effect)
			if a.From != nil {
				line("It begins when the state is %s.", codes(a.From))
			}
			if a.Undo != nil {
				line("It is undone by %s.", a.Undo.Is)
			}
		}
		if len(k.Rules) > 0 {
			line("\n| what | where | because |")
			line("|---|---|---|")
		}
		for _, r := range k.Rules {
			var verbs, when []string
			for _, v := range r.Verbs {
				verbs = append(verbs, v.Is)
			}
			if r.Verbs == nil {
				verbs = []string{"any change"}
			}
			if r.Disrupts {
				verbs = []string{"what disrupts"}
			}
			for _, c := range r.When {
				when = append(when, c.String())
			}
			why := r.Why
			if r.Instead != "" {
				why += "; " + r.Instead
			}
			line("| %s %s | %s | %s |", r.Effect, strings.Join(verbs, " and "), strings.Join(when, ", "), why)
		}
		if len(k.Edges) > 0 {
			line("")
		}
		for _, e := range k.Edges {
			line("- %s: %s a `%s`", code(e.Fact), e.Is, e.To)
		}
	}
	return b.String()
}
