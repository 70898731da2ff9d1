package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cloudops/cloudops/agent"
	aws "github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
)

// inOrder checks that a conversation's messages are numbered without a gap, and
// that each prompt has its answer right after it.
func inOrder(t *testing.T, c *Client, id string, want int) {
	t.Helper()
	ms := call[MessagesResult](t, c, ConversationMessages.Name, ConversationParams{ID: id}).Messages
	if len(ms) != want {
		t.Errorf("%d messages, want %d", len(ms), want)
	}
	for i, m := range ms {
		if m.Index != int64(i) {
			t.Fatalf("message %d has index %d", i, m.Index)
		}
		if role := []storage.Role{storage.RoleUser, storage.RoleAssistant}[i%2]; m.Role != role {
			t.Fatalf("message %d is of %s, want %s", i, m.Role, role)
		}
	}
}

func TestTwoEditorsWriteOneOrder(t *testing.T) {
	home := testHome(t)
	_, stop := serving(t, ServerConfig{Home: home, Open: realParts(home)})
	const editors, turns = 2, 12
	id := ""
	for round := 1; round <= 2; round++ {
		var clients []*Client
		for range editors {
			clients = append(clients, dialing(t, ClientConfig{Home: home, Kind: "editor"}))
		}
		if id == "" {
			id = call[ConversationCreated](t, clients[0], ConversationCreate.Name, nil).ID
		}
		var wg sync.WaitGroup
		for i, c := range clients {
			wg.Go(func() {
				for n := range turns {
					if err := c.Call(context.Background(), ConversationSend.Name, SendParams{ID: id, Prompt: fmt.Sprintf("help %d of %d", n, i)}, nil); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		for _, c := range clients {
			inOrder(t, c, id, 2*editors*turns*round)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		// What is written after a restart goes on from there.
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		_, stop = serving(t, ServerConfig{Home: home, Open: realParts(home)})
	}
}

func TestConversationsAreNamedFoundAndExported(t *testing.T) {
	home := testHome(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	c := dialing(t, ClientConfig{Home: home, Kind: "editor"})
	send := func(id, prompt string) string {
		t.Helper()
		return call[agent.Answer](t, c, ConversationSend.Name, SendParams{ID: id, Prompt: prompt}).Conversation
	}
	id, other := send("", "help me with the Café database"), send("", "help")

	got := call[ConversationResult](t, c, ConversationRename.Name, ConversationRenameParams{ID: id[:13], Title: "The incident"}).Conversation
	if got.ID != id || got.Title != "The incident" {
		t.Errorf("renamed: %+v", got)
	}
	got = call[ConversationResult](t, c, ConversationLabel.Name, ConversationLabelParams{ID: "The incident", Add: []string{"prod", "tmp"}}).Conversation
	if len(got.Labels) != 2 {
		t.Errorf("labelled: %+v", got)
	}
	got = call[ConversationResult](t, c, ConversationLabel.Name, ConversationLabelParams{ID: id, Add: []string{"may"}, Remove: []string{"tmp"}}).Conversation
	if strings.Join(got.Labels, ",") != "prod,may" {
		t.Errorf("labelled: %+v", got)
	}
	if again := send("The incident", "help"); again != id {
		t.Errorf("a turn by title went to %s, want %s", again, id)
	}
	for label, want := range map[string]int{"PROD": 1, "": 2, "pro": 0} {
		if l := call[ConversationListResult](t, c, ConversationList.Name, ConversationListParams{Label: label}); len(l.Conversations) != want {
			t.Errorf("label %q lists %+v, want %d", label, l.Conversations, want)
		}
	}
	found := call[ConversationSearchResult](t, c, ConversationSearch.Name, ConversationSearchParams{Query: "cafe DATA"})
	if found.Total != 1 || len(found.Conversations) != 1 || found.Conversations[0].ID != id || !strings.Contains(found.Conversations[0].Snippet, "Café database") {
		t.Errorf("found %+v", found)
	}
	if none := call[ConversationSearchResult](t, c, ConversationSearch.Name, ConversationSearchParams{Query: "walrus"}); none.Total != 0 || none.Conversations == nil {
		t.Errorf("found %+v", none)
	}
	x := call[ConversationExportResult](t, c, ConversationExport.Name, ConversationExportParams{ID: id, Format: "markdown"})
	if x.Conversation.Title != "The incident" || len(x.Messages) != 4 || x.Unreadable != 0 || !strings.HasPrefix(x.Markdown, "# The incident\n") {
		t.Errorf("exported %+v", x)
	}
	if x := call[ConversationExportResult](t, c, ConversationExport.Name, ConversationExportParams{ID: other}); len(x.Messages) != 2 || x.Markdown != "" {
		t.Errorf("exported %+v", x)
	}

	const usage = -32602
	refused(t, c, usage, "empty", ConversationRename.Name, ConversationRenameParams{ID: id, Title: " \n"})
	refused(t, c, usage, "title", ConversationRename.Name, ConversationRenameParams{ID: id, Title: strings.Repeat("x", 3000)})
	refused(t, c, usage, "labels", ConversationLabel.Name, ConversationLabelParams{ID: id})
	refused(t, c, usage, "no word", ConversationSearch.Name, ConversationSearchParams{Query: " "})
	refused(t, c, usage, "markdown", ConversationExport.Name, ConversationExportParams{ID: id, Format: "pdf"})
	refused(t, c, usage, "path", ConversationExport.Name, map[string]any{"conversation_id": id, "path": "/tmp/x"})
	for method, params := range map[string]any{
		ConversationRename.Name: ConversationRenameParams{ID: "no-such", Title: "x"}, ConversationLabel.Name: ConversationLabelParams{ID: "no-such", Add: []string{"x"}},
		ConversationExport.Name: ConversationExportParams{ID: "no-such"}, ConversationDelete.Name: ConversationDeleteParams{ID: "no-such"},
		ConversationSend.Name: SendParams{ID: "no-such", Prompt: "help"}, ConversationMessages.Name: ConversationParams{ID: "no-such"},
	} {
		refused(t, c, CodeNotFound, `no conversation "no-such"`, method, params)
	}
	send("", "help") // of the same title
	refused(t, c, usage, "give more of the id", ConversationExport.Name, ConversationExportParams{ID: "help"})
}

func TestAConversationIsDeletedByAPersonAtATerminal(t *testing.T) {
	home := testHome(t)
	_, stop := serving(t, ServerConfig{Home: home, Open: realParts(home)})
	editor := dialing(t, ClientConfig{Home: home, Kind: "editor", Prompt: approve})
	const said = "help me with the walrus"
	id := call[agent.Answer](t, editor, ConversationSend.Name, SendParams{Prompt: said}).Conversation
	refused(t, editor, CodeRefused, "terminal", ConversationDelete.Name, ConversationDeleteParams{ID: id})

	var asked ConfirmParams
	word := "no"
	person := dialing(t, ClientConfig{Home: home, Prompt: approve, Confirm: func(ctx context.Context, p ConfirmParams) (ConfirmResult, error) {
		asked = p
		return typed(word)(ctx, p)
	}})
	refused(t, person, CodeRejected, "delete conversation", ConversationDelete.Name, ConversationDeleteParams{ID: id})
	if ms := call[MessagesResult](t, person, ConversationMessages.Name, ConversationParams{ID: id}).Messages; len(ms) != 2 {
		t.Errorf("a no left %d messages, want 2", len(ms))
	}
	word = "delete"
	gone := call[ConversationResult](t, person, ConversationDelete.Name, ConversationDeleteParams{ID: id[:13]})
	if gone.Conversation.ID != id || !strings.Contains(strings.Join(asked.Details, "\n"), said) {
		t.Errorf("deleted %+v, asked %+v", gone, asked)
	}
	refused(t, person, CodeNotFound, id, ConversationMessages.Name, ConversationParams{ID: id})
	refused(t, person, CodeNotFound, id, ConversationSend.Name, SendParams{ID: id, Prompt: "help"})
	// The log tells that it was deleted, and nothing that was said.
	log := call[AuditResult](t, person, ExecutionAudit.Name, nil).Entries
	last := log[len(log)-1]
	if last.Kind != "local" || !strings.HasPrefix(last.Text, "Delete conversation "+id+": approved on a terminal") || strings.Contains(fmt.Sprint(log), "walrus") {
		t.Errorf("the audit log: %+v", log)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(home, "data", "conversations", "*"+id+"*")); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(home, "data")); err != nil {
		t.Error(err)
	}
}

// One that can't be read any more can still be deleted.
func TestAConversationWithADamagedKeyIsDeleted(t *testing.T) {
	home := testHome(t)
	_, stop := serving(t, ServerConfig{Home: home, Open: realParts(home)})
	editor := dialing(t, ClientConfig{Home: home, Kind: "editor", Prompt: approve})
	id := call[agent.Answer](t, editor, ConversationSend.Name, SendParams{Prompt: "help"}).Conversation
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(home, "data", "conversations", id+".key")
	key, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key[len(key)-1] ^= 1
	if err := os.WriteFile(path, key, 0o600); err != nil {
		t.Fatal(err)
	}

	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	var asked ConfirmParams
	person := dialing(t, ClientConfig{Home: home, Prompt: approve, Confirm: func(ctx context.Context, p ConfirmParams) (ConfirmResult, error) {
		asked = p
		return typed("")(ctx, p)
	}})
	refused(t, person, CodeDegraded, "key file", ConversationMessages.Name, ConversationParams{ID: id})
	call[ConversationResult](t, person, ConversationDelete.Name, ConversationDeleteParams{ID: id})
	if card := strings.Join(asked.Details, "\n"); !strings.Contains(card, "key file is damaged") || strings.Contains(card, "Title:") {
		t.Errorf("asked %+v", asked)
	}
	refused(t, person, CodeNotFound, id, ConversationMessages.Name, ConversationParams{ID: id})
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the key file is left: %v", err)
	}
}

// What can't be read is an error, and no conversation without messages.
func TestAStoreThatDoesNotAnswerHasNoEmptyLists(t *testing.T) {
	home := testHome(t)
	s, _ := serving(t, ServerConfig{Home: home, Open: realParts(home)})
	c := dialing(t, ClientConfig{Home: home, Kind: "editor"})
	id := call[agent.Answer](t, c, ConversationSend.Name, SendParams{Prompt: "help"}).Conversation
	p, err := s.opened()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Store.Close(); err != nil {
		t.Fatal(err)
	}
	for method, params := range map[string]any{
		ConversationCreate.Name:   none{},
		ConversationList.Name:     none{},
		ConversationMessages.Name: ConversationParams{ID: id},
		ConversationExport.Name:   ConversationExportParams{ID: id},
		ConversationSend.Name:     SendParams{ID: id, Prompt: "help"},
		ConversationRename.Name:   ConversationRenameParams{ID: id, Title: "x"},
	} {
		var e *Error
		if err := c.Call(t.Context(), method, params, nil); !errors.As(err, &e) || e.Code == CodeNotFound {
			t.Errorf("%s: %v, want that the store does not answer", method, err)
		}
	}
}

// Files that can't be read, and settings that can't be, have no profiles, which is
// not the same as none.
func TestProfilesOfFilesThatCannotBeReadAreAnError(t *testing.T) {
	home := testHome(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte("[profile prod]\nregion = us-west-2\n[profile\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for says, env := range map[string]aws.Environment{
		"line 3":                   {ConfigFile: config},
		"not the name of a region": {ConfigFile: os.DevNull, Region: "evil.example/"},
	} {
		c := dialing(t, ClientConfig{Home: home, Environment: env})
		for method, params := range map[string]any{ProfileList.Name: none{}, ProfileSelect.Name: ProfileSelectParams{Name: "prod"}, ProfileIdentity.Name: none{}} {
			var e *Error
			if err := c.Call(t.Context(), method, params, nil); !errors.As(err, &e) || !strings.Contains(e.Message, says) {
				t.Errorf("%s: %v, want %q", method, err, says)
			}
		}
	}
}
