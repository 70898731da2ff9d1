package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/lsp/daemon"
)

func (a *app) conversationsCommand() *cobra.Command {
	list := func(c *cobra.Command, _ []string) error {
		var r daemon.ConversationListResult
		if err := a.call(c.Context(), daemon.MethodConversationList, struct{}{}, &r); err != nil {
			return err
		}
		return a.print(r, func(w io.Writer) {
			if len(r.Conversations) == 0 {
				fmt.Fprintln(w, "No conversation yet. Begin one with `cloudops chat`.")
				return
			}
			rows := make([][]string, 0, len(r.Conversations))
			for _, x := range r.Conversations {
				rows = append(rows, []string{x.ID, x.Title, fmt.Sprint(x.Messages), render.Ago(x.UpdatedAt, time.Now())})
			}
			fmt.Fprint(w, render.Table([]string{"CONVERSATION", "TITLE", "MESSAGES", "LAST"}, rows))
		})
	}
	cmd := &cobra.Command{
		Use:   "conversations",
		Short: "List your conversations",
		Args:  args(cobra.NoArgs),
		RunE:  list,
	}
	cmd.AddCommand(&cobra.Command{Use: "list", Short: cmd.Short, Args: args(cobra.NoArgs), RunE: list})
	var p daemon.ConversationParams
	show := &cobra.Command{
		Use:   "show CONVERSATION",
		Short: "Print a conversation",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			p.ID = given[0]
			var r daemon.MessagesResult
			if err := a.call(c.Context(), daemon.MethodConversationMessages, p, &r); err != nil {
				return err
			}
			return a.print(r, func(w io.Writer) {
				for _, m := range r.Messages {
					fmt.Fprintf(w, "[%s] %s\n%s\n\n", render.Clock(m.Timestamp), render.Terminal(string(m.Role)), render.TerminalMarkdown(m.Content))
				}
			})
		},
	}
	show.Flags().IntVar(&p.Limit, "limit", 0, "only the newest; 0 means all")
	cmd.AddCommand(show)
	return cmd
}
