package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/storage"
)

const (
	// mostCommands bounds the commands of one reply.
	mostCommands = 20
	// mostMentions bounds the resources that a turn is remembered to be about.
	mostMentions = 50
)

// answer asks the backend and turns its reply into plans and text: steps three
// and four.
func (a *Agent) answer(ctx context.Context, m Message, to *Answer, stream func(string)) error {
	streamed := false
	reply, err := a.backend.Answer(ctx, to.Request, func(text string) {
		streamed = true
		if stream != nil {
			stream(text)
		}
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBackend, err)
	}
	if err := validate(reply); err != nil {
		return fmt.Errorf("%w: its reply is %w", ErrBackend, err)
	}
	to.Reply = reply
	for _, c := range reply.Commands {
		p, err := a.executor.Plan(ctx, m.Client, c, m.Origin)
		switch {
		case err == nil:
			to.Plans = append(to.Plans, p)
		case ctx.Err() != nil:
			return fmt.Errorf("planning: %w", ctx.Err())
		default:
			to.Refused = append(to.Refused, fmt.Sprintf("%s: %v", c, err))
		}
	}
	to.Text = text(*to)
	if reply.Information != "" && !streamed && stream != nil {
		stream(to.Text)
	}
	return nil
}

// validate accepts exactly one of commands, information and clarification.
func validate(r Reply) error {
	kinds := 0
	if len(r.Commands) > 0 {
		kinds++
	}
	if strings.TrimSpace(r.Information) != "" {
		kinds++
	}
	if r.Clarification != nil {
		kinds++
		if strings.TrimSpace(r.Clarification.Question) == "" {
			return errors.New("a clarification without a question")
		}
	}
	switch {
	case kinds == 0:
		return errors.New("empty")
	case kinds > 1:
		return errors.New("more than one of commands, information and clarification")
	case len(r.Commands) > mostCommands:
		return fmt.Errorf("%d commands; %d are the most", len(r.Commands), mostCommands)
	}
	return nil
}

// text is the answer as Markdown.
func text(a Answer) string {
	var b strings.Builder
	switch {
	case a.Reply.Information != "":
		return a.Reply.Information
	case a.Reply.Clarification != nil:
		b.WriteString(a.Reply.Clarification.Question)
		for i, c := range a.Reply.Clarification.Choices {
			if i == 0 {
				b.WriteString("\n")
			}
			fmt.Fprintf(&b, "\n%d. %s", i+1, render.Markdown(c.Label))
		}
		return b.String()
	}
	switch len(a.Plans) {
	case 0:
	case 1:
		b.WriteString("Nothing runs until you approve it.\n")
	default:
		fmt.Fprintf(&b, "%d commands, each for you to decide; nothing runs until you approve it.\n", len(a.Plans))
	}
	for _, p := range a.Plans {
		fmt.Fprintf(&b, "\n- %s\n  %s\n  Risk %s", render.Markdown(p.Title), render.Code(p.Line), p.Risk)
		if len(p.Reasons) > 0 {
			fmt.Fprintf(&b, ": %s", render.Markdown(strings.Join(p.Reasons, "; ")))
		}
		b.WriteString("\n")
	}
	for _, r := range a.Refused {
		fmt.Fprintf(&b, "\nNot possible: %s\n", render.Markdown(r))
	}
	return strings.TrimSpace(b.String())
}

// metadata is what is stored with an answer: its reply, and what it is about.
func (a *Agent) metadata(ans Answer) (storage.MessageMetadata, error) {
	b, err := json.Marshal(ans.Reply)
	if err != nil {
		return storage.MessageMetadata{}, fmt.Errorf("encoding the reply: %w", err)
	}
	m := storage.MessageMetadata{Reply: b}
	for _, key := range ans.Reply.Mentions {
		if _, ok := a.byKey(key); ok && len(m.ResourcesMentioned) < mostMentions {
			m.ResourcesMentioned = append(m.ResourcesMentioned, key)
		}
	}
	if len(m.ResourcesMentioned) == 0 {
		for _, p := range ans.Plans {
			for _, t := range p.Targets {
				m.ResourcesMentioned = append(m.ResourcesMentioned, t.Canonical())
			}
		}
	}
	return m, nil
}

// ran reports whether AWS was, or may have been, called.
func ran(x executor.Execution) bool {
	switch x.Status {
	case "running", "succeeded", "failed", "unknown":
		return true
	}
	return false
}

// outcome says what became of a plan, as Markdown.
func outcome(x executor.Execution) string {
	line := render.Code(x.Line)
	var s string
	switch x.Status {
	case "succeeded":
		s = fmt.Sprintf("Ran %s.", line)
		if x.StateAfter != "" {
			s = fmt.Sprintf("Ran %s: %s is now %s.", line, names(x.Targets), render.Markdown(x.StateAfter))
		}
	case "running":
		s = fmt.Sprintf("Running %s.", line)
	case "failed":
		s = fmt.Sprintf("Ran %s, which failed.", line)
	case "unknown":
		s = fmt.Sprintf("Began %s; its outcome is unknown.", line)
	case "rejected":
		s = fmt.Sprintf("Not run: %s, %s.", line, render.Markdown(x.Decision))
	case "expired":
		s = fmt.Sprintf("Not run, not decided in time: %s.", line)
	case "void":
		s = fmt.Sprintf("Not run, the target changed: %s.", line)
	default:
		s = fmt.Sprintf("Not run: %s.", line)
	}
	if x.Error != "" {
		s += " " + render.Markdown(x.Error)
	}
	return s
}

func names(ts []executor.Target) string {
	var out []string
	for _, t := range ts {
		name := t.Name
		if name == "" {
			name = t.ID
		}
		out = append(out, render.Code(name))
	}
	if len(out) == 0 {
		return "it"
	}
	return strings.Join(out, ", ")
}
