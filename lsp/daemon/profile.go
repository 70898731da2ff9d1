package daemon

import (
	"context"
	"fmt"
	"slices"

	aws "github.com/cloudops/cloudops/scanner/session"
)

// ProfileListResult lists the shared files' profiles.
type ProfileListResult struct {
	Profiles []aws.Profile `json:"profiles"`
}

var ProfileList = request("cloudops/profile/list", reads|forwarded|command, needScanner,
	"Lists the profiles of the AWS files.", profileList)

func profileList(ctx context.Context, x *session, p *Parts, _ none) (ProfileListResult, error) {
	who, err := x.client(p)
	if err != nil {
		return ProfileListResult{}, err
	}
	profiles, err := who.Profiles()
	if err != nil {
		return ProfileListResult{}, err
	}
	return ProfileListResult{Profiles: profiles}, nil
}

// ProfileSelectParams chooses the session's profile.
type ProfileSelectParams struct {
	Name string `json:"name"`
}

var ProfileSelect = request("cloudops/profile/select", forwarded, needScanner,
	"Chooses the profile of this session; what it proposed for another one is void.", profileSelect,
	needed("name", 1024))

// profileSelect changes this session only. What it proposed for another profile
// is void, unless AWS has it.
func profileSelect(ctx context.Context, x *session, p *Parts, params ProfileSelectParams) (ProfileListResult, error) {
	env := x.environment()
	env.Profile = params.Name
	who := p.Scanner.Sessions.Client(env)
	if err := who.Check(); err != nil {
		return ProfileListResult{}, err
	}
	profiles, err := who.Profiles()
	if err != nil {
		return ProfileListResult{}, err
	}
	if !slices.ContainsFunc(profiles, func(f aws.Profile) bool { return f.Name == params.Name }) {
		return ProfileListResult{}, fmt.Errorf("selecting a profile: %w: no shared AWS file has %q; list them with: cloudops profiles", aws.ErrUnknownProfile, params.Name)
	}
	x.mu.Lock()
	another := x.env.Profile != params.Name
	x.env.Profile = params.Name
	x.mu.Unlock()
	if another && p.Executor != nil {
		for _, void := range p.Executor.Selected(x.id, params.Name) {
			x.server.recordTurn(p, void)
		}
	}
	return ProfileListResult{Profiles: profiles}, nil
}

var ProfileIdentity = request("cloudops/profile/identity", reads, needScanner,
	"Asks AWS who the profile of this session is.", profileIdentity)

// profileIdentity asks AWS who the session's profile is, and keeps nothing.
func profileIdentity(ctx context.Context, x *session, p *Parts, _ none) (aws.Identity, error) {
	who, err := x.client(p)
	if err != nil {
		return aws.Identity{}, err
	}
	own, err := who.Open("", "")
	if err != nil {
		return aws.Identity{}, err
	}
	return own.Ask(ctx)
}
