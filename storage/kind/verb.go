package kind

import (
	"slices"
	"strings"
)

// Verb is something that people ask for, whatever the type.
type Verb struct {
	// Is its name, which is English: stop; Past is stopped, Doing stopping.
	Is, Past, Doing string
	// Words mean it alone, Phrases of two words together, in any of their
	// places: "shut down" is "shut it down" too.
	Words, Phrases []string
	// Slips are those of Words that are known when misspelt: such as are near no
	// word that means something else.
	Slips []string
	// Forms are other forms of its words, which do not ask for it: halting.
	Forms []string
	// Changes: it changes AWS. Disrupts: what runs on the resource stops answering.
	Changes, Disrupts bool
	// Icon is VS Code's name of an icon for it.
	Icon string
}

// The verbs.
var (
	Start = &Verb{Is: "start", Past: "started", Doing: "starting", Changes: true, Icon: "play",
		Words: words("start boot"), Slips: words("start"),
		Phrases: list("start up; boot up; power up; power on; turn on; switch on; bring up; bring online; spin up; fire up"),
		Forms:   words("starts starting started boots booting booted")}
	Stop = &Verb{Is: "stop", Past: "stopped", Doing: "stopping", Changes: true, Disrupts: true, Icon: "debug-stop",
		Words: words("stop halt shutdown poweroff"), Slips: words("stop shutdown"),
		Phrases: list(`shut down; shut off; power down; power off; turn off; switch off; bring down; bring offline;
			spin down; take down; take offline`),
		Forms: words("stops stopping stopped halts halting halted shuts shutting shutdowns")}
	Reboot = &Verb{Is: "reboot", Past: "rebooted", Doing: "rebooting", Changes: true, Disrupts: true, Icon: "debug-restart",
		Words: words("reboot restart cycle bounce powercycle power-cycle"), Slips: words("reboot restart"),
		Phrases: list("power cycle"),
		Forms:   words("reboots rebooting rebooted restarts restarting restarted cycles cycling cycled bounces bouncing bounced")}
	Describe = &Verb{Is: "describe", Past: "described", Doing: "describing", Icon: "info"}
)

// Verbs lists the verbs, in the order of menus.
func Verbs() []*Verb { return []*Verb{Start, Stop, Reboot, Describe} }

// VerbNamed is a verb by its name; nil for none.
func VerbNamed(name string) *Verb {
	i := slices.IndexFunc(Verbs(), func(v *Verb) bool { return v.Is == name })
	if i < 0 {
		return nil
	}
	return Verbs()[i]
}

// bent are other forms of the first words of phrases, which mean no verb without
// the second.
var bent = map[string][]string{
	"power": words("powers powering powered"), "turn": words("turns turning turned"), "switch": words("switches switching switched"),
	"bring": words("brings bringing brought"), "spin": words("spins spinning spun"),
}

// Bent are the other forms of the first word of a phrase.
func Bent(first string) []string { return bent[first] }

// Title is the verb at the beginning of a line.
func (v *Verb) Title() string { return strings.ToUpper(v.Is[:1]) + v.Is[1:] }

func words(s string) []string { return strings.Fields(s) }

// list cuts at semicolons.
func list(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ";") {
		out = append(out, strings.Join(strings.Fields(part), " "))
	}
	return out
}
