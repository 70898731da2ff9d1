package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/storage"
)

func (a *app) conversationsCommand() *cobra.Command {
	list := func(label *string) func(c *cobra.Command, _ []string) error {
		return func(c *cobra.Command, _ []string) error { return a.listConversations(c.Context(), *label) }
	}
	var label string
	cmd := &cobra.Command{
		Use:   "conversations",
		Short: "List, search, name, export and delete your conversations",
		Long: `Lists your conversations, the latest first. CONVERSATION is an id, the beginning
of one that no other has, or a whole title. Go on with one by:
  cloudops chat -c CONVERSATION`,
		Example: `  cloudops conversations search "pg-instance-main1"
  cloudops conversations rename 7b0c "The incident of May"
  cloudops conversations label 7b0c --add incident --remove draft
  cloudops conversations export 7b0c > incident.md`,
		Args: args(cobra.NoArgs),
		RunE: list(&label),
	}
	cmd.Flags().StringVar(&label, "label", "", "only those that bear this label")
	sub := &cobra.Command{Use: "list", Short: "List your conversations, the latest first", Args: args(cobra.NoArgs), RunE: list(&label)}
	sub.Flags().StringVar(&label, "label", "", "only those that bear this label")
	cmd.AddCommand(sub, a.showConversationCommand(), a.renameConversationCommand(), a.labelConversationCommand(),
		a.searchConversationsCommand(), a.exportConversationCommand(), a.deleteConversationCommand())
	return cmd
}

func (a *app) listConversations(ctx context.Context, label string) error {
	r, err := daemon.ConversationList.Call(ctx, a, daemon.ConversationListParams{Label: label})
	if err != nil {
		return err
	}
	return a.print(r, func(w io.Writer) {
		switch {
		case len(r.Conversations) == 0 && label != "":
			fmt.Fprintf(w, "No conversation bears the label %s.\n", render.Terminal(label))
			return
		case len(r.Conversations) == 0:
			fmt.Fprintln(w, "No conversation yet. Begin one with `cloudops chat`.")
			return
		}
		rows := make([][]string, 0, len(r.Conversations))
		for _, x := range r.Conversations {
			last := "?"
			if !x.UpdatedAt.IsZero() {
				last = render.Ago(x.UpdatedAt, time.Now())
			}
			count := fmt.Sprint(x.Messages)
			if x.Unreadable > 0 {
				count = fmt.Sprintf("%d of %d", x.Messages-x.Unreadable, x.Messages)
			}
			rows = append(rows, []string{x.ID, x.Title, strings.Join(x.Labels, ", "), count, last})
		}
		fmt.Fprint(w, render.Table([]string{"CONVERSATION", "TITLE", "LABELS", "MESSAGES", "LAST"}, rows))
		for _, x := range r.Conversations {
			if x.Damage != "" {
				fmt.Fprintf(w, "DAMAGED    %.8s: %s\n", x.ID, render.Terminal(x.Damage))
			}
		}
	})
}

func (a *app) showConversationCommand() *cobra.Command {
	var p daemon.ConversationParams
	show := &cobra.Command{
		Use:   "show CONVERSATION",
		Short: "Print a conversation",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			p.ID = given[0]
			r, err := daemon.ConversationMessages.Call(c.Context(), a, p)
			if err != nil {
				return err
			}
			return a.print(r, func(w io.Writer) {
				if r.Unreadable > 0 {
					fmt.Fprintf(w, "DAMAGED    %s can't be read; see `cloudops doctor`\n\n", countMessages(r.Unreadable))
				}
				for _, m := range r.Messages {
					fmt.Fprintf(w, "[%s] %s\n%s\n\n", render.Clock(m.Timestamp), render.Terminal(string(m.Role)), render.Said(m))
				}
			})
		},
	}
	show.Flags().IntVar(&p.Limit, "limit", 0, "only the newest; 0 means all")
	return show
}

// countMessages is a number of messages in words.
func countMessages(n int) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}

func (a *app) renameConversationCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rename CONVERSATION TITLE",
		Short: "Give a conversation another title",
		Args:  args(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, given []string) error {
			return changeConversation(c.Context(), a, daemon.ConversationRename, daemon.ConversationRenameParams{ID: given[0], Title: given[1]})
		},
	}
}

func (a *app) labelConversationCommand() *cobra.Command {
	var p daemon.ConversationLabelParams
	label := &cobra.Command{
		Use:   "label CONVERSATION [--add LABEL]... [--remove LABEL]...",
		Short: "Add labels to a conversation, or take them off",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			if len(p.Add)+len(p.Remove) == 0 {
				return usageError{fmt.Errorf("say which labels: --add LABEL or --remove LABEL; see `%s --help`", c.CommandPath())}
			}
			p.ID = given[0]
			return changeConversation(c.Context(), a, daemon.ConversationLabel, p)
		},
	}
	label.Flags().StringArrayVar(&p.Add, "add", nil, "add this label; may be given again")
	label.Flags().StringArrayVar(&p.Remove, "remove", nil, "take this label off; may be given again")
	return label
}

// changeConversation sends a request that answers with the conversation.
func changeConversation[P any](ctx context.Context, a *app, change daemon.Request[P, daemon.ConversationResult], params P) error {
	r, err := change.Call(ctx, a, params)
	if err != nil {
		return err
	}
	return a.print(r, func(w io.Writer) { fmt.Fprintln(w, conversationLine(r.Conversation)) })
}

// conversationLine is a conversation on one line of a terminal.
func conversationLine(c storage.Conversation) string {
	line := c.ID + "  " + c.Title
	if len(c.Labels) > 0 {
		line += "  [" + strings.Join(c.Labels, ", ") + "]"
	}
	return render.Terminal(line)
}

func (a *app) searchConversationsCommand() *cobra.Command {
	var p daemon.ConversationSearchParams
	search := &cobra.Command{
		Use:   "search WORD...",
		Short: "Find the conversations that have all the words",
		Long: `Finds the conversations that have all the words in their messages, title or
labels, the latest first. A word matches the beginning of words; case and accents
do not count. Exit code 4 when nothing is found.`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, words []string) error {
			p.Query = strings.Join(words, " ")
			r, err := daemon.ConversationSearch.Call(c.Context(), a, p)
			if err != nil {
				return err
			}
			if err := a.print(r, func(w io.Writer) {
				for _, x := range r.Conversations {
					fmt.Fprintf(w, "%s\n    %s\n", conversationLine(x.Conversation), render.Terminal(x.Snippet))
				}
				if n := len(r.Conversations); n < r.Total {
					fmt.Fprintf(w, "%d of %d; see more with --limit.\n", n, r.Total)
				}
				if r.Total == 0 {
					fmt.Fprintln(w, "No conversation has all of these words.")
				}
			}); err != nil {
				return err
			}
			if r.Total == 0 {
				return quietExit(exitNotFound)
			}
			return nil
		},
	}
	search.Flags().IntVar(&p.Limit, "limit", 0, "how many to print; 0 means 20")
	return search
}

func (a *app) exportConversationCommand() *cobra.Command {
	p := daemon.ConversationExportParams{}
	export := &cobra.Command{
		Use:   "export CONVERSATION",
		Short: "Print all of a conversation as Markdown or JSON",
		Long: `Prints all of a conversation: who said what and when, the resources mentioned and
the commands executed. What was said is text in the Markdown, whatever it holds.`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			if p.Format != "markdown" && p.Format != "json" {
				return usageError{fmt.Errorf("--format %q: use markdown or json", p.Format)}
			}
			if a.json {
				p.Format = "json"
			}
			p.ID = given[0]
			r, err := daemon.ConversationExport.Call(c.Context(), a, p)
			if err != nil {
				return err
			}
			if r.Unreadable > 0 {
				fmt.Fprintf(a.err, "cloudops: %s can't be read; see `cloudops doctor`\n", countMessages(r.Unreadable))
			}
			if p.Format == "json" {
				return a.printJSON(r)
			}
			_, err = io.WriteString(a.out, r.Markdown)
			return err
		},
	}
	export.Flags().StringVar(&p.Format, "format", "markdown", "markdown or json")
	return export
}

func (a *app) deleteConversationCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "delete CONVERSATION",
		Short: "Delete a conversation for good",
		Long: `Deletes a conversation after you confirm it at the terminal. Its own key is
destroyed first, so that no copy of the store and no snapshot gives it back. The
audit log keeps its id and the commands that it led to.`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			r, err := daemon.ConversationDelete.Call(c.Context(), a, daemon.ConversationDeleteParams{ID: given[0]})
			if err != nil {
				return err
			}
			return a.print(r, func(w io.Writer) { fmt.Fprintln(w, "Deleted", render.Terminal(r.Conversation.ID)) })
		},
	}
}
