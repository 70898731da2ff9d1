package lsp

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"go.lsp.dev/protocol"
)

// origin is where a setting comes from. A workspace can write all of them, so
// each may only narrow: what one origin turned off no other turns on.
// Endpoints, profiles, policy, programs and paths come from config.yaml.
type origin int

const (
	fromInitialize origin = iota
	fromConfiguration
	origins
)

// choice is one origin's settings; the zero value changes nothing.
type choice struct {
	// off are the features' settings that are switched off.
	off      map[string]bool
	readOnly bool
}

// settings is what all origins together leave on.
type settings struct {
	mu   sync.Mutex // guards from
	from [origins]choice
}

// off says whether a feature's setting is switched off.
func (s *settings) off(name string) bool { return s.any(func(c choice) bool { return c.off[name] }) }

func (s *settings) readOnly() bool { return s.any(func(c choice) bool { return c.readOnly }) }

func (s *settings) any(f func(choice) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.from[:], f)
}

// set replaces what one origin said. Settings that an editor may not make, and
// values of a wrong type, are ignored and named in the log.
func (s *settings) set(o origin, raw []byte, log *slog.Logger) {
	c := choice{off: map[string]bool{}}
	for name, value := range flatten("", raw, map[string]json.RawMessage{}, 0) {
		var on bool
		if json.Unmarshal(value, &on) != nil {
			log.Warn("ignoring a setting that is not a boolean, or may not be made in an editor", "setting", name)
			continue
		}
		setting, switches := strings.CutSuffix(name, ".enabled")
		switch {
		case name == "readOnly":
			c.readOnly = on
		case switches && setting != "" && slices.ContainsFunc(features(), func(f feature) bool { return f.setting == setting }):
			c.off[setting] = !on
		default:
			log.Warn("ignoring a setting that may not be made in an editor; use config.yaml", "setting", name)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from[o] = c
}

// flatten names nested settings with dots. They may stand under "cloudops", as
// in an editor's own file.
func flatten(prefix string, raw []byte, into map[string]json.RawMessage, depth int) map[string]json.RawMessage {
	var object map[string]json.RawMessage
	if depth > 4 || json.Unmarshal(raw, &object) != nil || object == nil {
		if prefix != "" {
			into[prefix] = raw
		}
		return into
	}
	for k, v := range object {
		switch {
		case prefix == "" && k == "cloudops":
			flatten("", v, into, depth+1)
		case prefix == "":
			flatten(strings.TrimPrefix(k, "cloudops."), v, into, depth+1)
		default:
			flatten(prefix+"."+k, v, into, depth+1)
		}
	}
	return into
}

// didChangeConfiguration applies settings, which come with the notification or
// have to be asked for.
func (s *server) didChangeConfiguration(_ context.Context, p *protocol.DidChangeConfigurationParams) (any, error) {
	if len(p.Settings) == 0 {
		s.pullSettings()
		return nil, nil
	}
	s.settings.set(fromConfiguration, p.Settings, s.log)
	return nil, nil
}

// pullSettings asks the editor, if it answers such questions.
func (s *server) pullSettings() {
	if isTrue(s.can().says.Workspace.Configuration) {
		signal(s.pull)
	}
}

// followSettings asks for settings one question after the other, so that the
// answer to the last one counts.
func (s *server) followSettings(ctx context.Context) {
	section := "cloudops"
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.pull:
		}
		got, err := s.editor.Configuration(ctx, &protocol.ConfigurationParams{
			Items: []protocol.ConfigurationItem{{Section: &section}},
		})
		if err != nil || len(got) != 1 {
			s.log.Warn("asking the editor for settings", "error", err)
			continue
		}
		s.settings.set(fromConfiguration, got[0], s.log)
	}
}
