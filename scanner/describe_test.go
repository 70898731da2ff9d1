package scanner_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
)

// What can't be one resource is not asked for, least of all with credentials of
// another account.
func TestWhatIsNoResourceIsNotRead(t *testing.T) {
	f := newFakeAWS(t)
	h := newHome(t, scanner.Config{})
	from, err := h.session(f.environment(t), "")
	if err != nil {
		t.Fatal(err)
	}
	key := func(change func(*storage.Key)) storage.Key {
		k := storage.Key{Type: "ec2_instance", ID: "i-1a2b3c4d", AccountID: fakeAccount, Region: "us-west-2"}
		change(&k)
		return k
	}
	ctx := within(t, time.Minute)
	if _, err := from.Identity(ctx); err != nil {
		t.Fatal(err)
	}
	asked := 0
	f.answer(func(http.ResponseWriter, string, *http.Request) bool { asked++; return false })
	for says, k := range map[string]storage.Key{
		`the type "vpc" is unknown`:     key(func(k *storage.Key) { k.Type = "vpc" }),
		"its identifier, account":       key(func(k *storage.Key) { k.ID = "" }),
		"account and region must":       key(func(k *storage.Key) { k.AccountID = "" }),
		"and region must be known":      key(func(k *storage.Key) { k.Region = "" }),
		"not the name of a region":      key(func(k *storage.Key) { k.Region = "evil.example/" }),
		"it is of account 210987654321": key(func(k *storage.Key) { k.AccountID = "210987654321" }),
	} {
		for name, read := range map[string]func(context.Context, *session.Session, storage.Key) (storage.Resource, error){"Describe": h.Describe, "Refresh": h.Refresh} {
			if r, err := read(ctx, from, k); err == nil || !strings.Contains(err.Error(), says) || r.ID != "" {
				t.Errorf("%s of %+v: %+v %v, want %q", name, k, r, err, says)
			}
		}
	}
	if asked != 0 {
		t.Errorf("AWS was asked %d times", asked)
	}
}

// Whose credentials are is asked once for reads, anew for what changes something,
// and again after an answer that told nothing.
func TestAnIdentityIsRememberedForReads(t *testing.T) {
	f := newFakeAWS(t)
	h := newHome(t, scanner.Config{})
	s, err := h.session(f.environment(t), "")
	if err != nil {
		t.Fatal(err)
	}
	ctx := within(t, time.Minute)
	f.answer(func(w http.ResponseWriter, operation string, _ *http.Request) bool {
		if operation != "GetCallerIdentity" {
			return false
		}
		fmt.Fprint(w, "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::1:user/x</Arn><UserId>x</UserId><Account></Account></GetCallerIdentityResult></GetCallerIdentityResponse>")
		return true
	})
	if id, err := s.Identity(ctx); err == nil || id != (session.Identity{}) {
		t.Errorf("of an answer without an account: %+v %v", id, err)
	}
	f.answer(nil)
	for _, c := range []struct {
		name string
		ask  func(context.Context) (session.Identity, error)
		want int // calls since the beginning
	}{
		{"for a read", s.Identity, 1},
		{"for another", s.Identity, 1},
		{"in another region", s.In("eu-west-1").Identity, 1},
		{"for a change", s.IdentityNow, 2},
		{"for another change", s.IdentityNow, 3},
		{"for a read again", s.Identity, 3},
		{"for a check", s.Ask, 4},
	} {
		id, err := c.ask(ctx)
		if n := f.called("GetCallerIdentity"); err != nil || id.AccountID != fakeAccount || n != c.want {
			t.Errorf("%s: %+v %v after %d calls, want %d", c.name, id, err, n, c.want)
		}
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.IdentityNow(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("for nobody: %v", err)
	}
}

// The profile for an account is the client's own where that is of it, and one
// that was seen to be of it otherwise; a profile that is named and is not there
// is never replaced by another.
func TestTheProfileForAnAccount(t *testing.T) {
	f := newFakeAWS(t)
	h := newHome(t, scanner.Config{})
	env := f.environment(t)
	ctx := within(t, time.Minute)
	for name, c := range map[string]struct {
		profile, account string
		is               error
		says             string
	}{
		"its own":              {"", fakeAccount, nil, ""},
		"nobody's":             {"", "000000000000", session.ErrNoCredentials, "no profile of this session belongs to the account 000000000000"},
		"one that isn't there": {"prdo", fakeAccount, session.ErrUnknownProfile, `"prdo"`},
	} {
		env.Profile = c.profile
		s, err := h.Sessions.Client(env).ForAccount(ctx, c.account)
		if !errors.Is(err, c.is) || err != nil && !strings.Contains(err.Error(), c.says) || err == nil && s.Profile != "default" {
			t.Errorf("%s: %+v %v, want %q", name, s, err, c.says)
		}
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	env.Profile = ""
	if _, err := newHome(t, scanner.Config{}).Sessions.Client(env).ForAccount(gone, fakeAccount); !errors.Is(err, context.Canceled) {
		t.Errorf("for nobody: %v", err)
	}
}
