package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// An account is called by a profile with a name of its own, and keeps that name;
// the profile that was last used for it comes first.
func TestAnAccountIsCalledByItsProfile(t *testing.T) {
	for _, c := range []struct {
		met, name, profiles string
	}{
		{"prod", "prod", "prod"},
		{"environment", "environment", "environment"},
		{"default prod", "prod", "prod default"},
		{"environment default", "environment", "default environment"},
		{"prod admin", "prod", "admin prod"},
		{"prod default", "prod", "default prod"},
		{"prod admin prod", "prod", "prod admin"},
	} {
		saves := 0
		a := NewAccounts("", nil, func() error { saves++; return nil })
		for profile := range strings.FieldsSeq(c.met) {
			for range 2 { // a second time is no news
				if err := a.met(&access{profile: profile}, "1"); err != nil {
					t.Fatal(err)
				}
			}
		}
		got, met := a.Get("1")
		if !met || got.ID != "1" || got.Name != c.name || strings.Join(got.Profiles, " ") != c.profiles {
			t.Errorf("after %s: %+v, want %s of %s", c.met, got, c.name, c.profiles)
		}
		if want := len(strings.Fields(c.met)); saves != want {
			t.Errorf("after %s: saved %d times, want %d", c.met, saves, want)
		}
	}
}

// A profile whose keys were replaced is of the account that they are of now, and
// of no other from one moment to the next.
func TestAProfileIsOfOneAccount(t *testing.T) {
	a := NewAccounts("aws", nil, func() error { return nil })
	for _, id := range []string{"2", "1", "3", "2"} {
		if err := a.met(&access{profile: "prod"}, id); err != nil {
			t.Fatal(err)
		}
		if got := a.of("prod"); got != id {
			t.Errorf("after account %s it is of %q", id, got)
		}
	}
	if got := a.of("dev"); got != "" {
		t.Errorf("one that was never used is of %q", got)
	}
	_, known := a.List()
	if ids := fmt.Sprint(known[0].ID, known[1].ID, known[2].ID); ids != "123" {
		t.Errorf("the accounts come as %s", ids)
	}
	for range 100 {
		if got := NewAccounts("aws", known, nil).of("prod"); got != "1" {
			t.Fatalf("after a restart it is of %q", got)
		}
	}
}

// What could not be saved is saved with what comes next, news or not.
func TestAnAccountThatCouldNotBeSavedIsSavedLater(t *testing.T) {
	full := errors.New("the disk is full")
	var saved []string
	fails := full
	var a *Accounts
	a = NewAccounts("", nil, func() error {
		if fails == nil {
			endpoint, known := a.List()
			saved = append(saved, fmt.Sprint(endpoint, len(known)))
		}
		return fails
	})
	prod := &access{profile: "prod"}
	if err := a.met(prod, "1"); !errors.Is(err, full) {
		t.Errorf("got %v, want that it was not saved", err)
	}
	fails = nil
	for range 2 {
		if err := a.met(prod, "1"); err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(saved, []string{"aws1"}) {
		t.Errorf("saved %q, want it once", saved)
	}
}

// The first answer binds the home to where it came from: what answers elsewhere
// is refused, and leaves nothing behind.
func TestAnAnswerFromElsewhereIsNotRecorded(t *testing.T) {
	here := endpoints{base: "http://127.0.0.1:4566"}
	part := endpoints{base: here.base, service: map[string]string{"s3": "http://127.0.0.1:9000"}}
	a := NewAccounts("", nil, func() error { return nil })
	if err := a.met(&access{profile: "local", endpoints: here}, "1"); err != nil {
		t.Fatal(err)
	}
	for says, e := range map[string]endpoints{"the session asks AWS": {}, "s3=http://127.0.0.1:9000": part} {
		err := a.met(&access{profile: "other", endpoints: e}, "2")
		if !errors.Is(err, ErrEndpoint) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "read from "+here.base) {
			t.Errorf("%v, want it refused saying %q", err, says)
		}
	}
	if endpoint, known := a.List(); endpoint != here.base || len(known) != 1 || a.of("other") != "" {
		t.Errorf("the home is bound to %s and knows %+v", endpoint, known)
	}
	if err := a.met(&access{profile: "local", endpoints: here}, "2"); err != nil {
		t.Errorf("where it is bound to: %v", err)
	}
}
