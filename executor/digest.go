package executor

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bound is what, besides the plan, an approval is bound to.
type bound struct {
	runner, build, catalog, policy string
}

// digest is SHA-256 over all that an approval is bound to. Every text is
// encoded after its name and length and every list after its count, so that no
// two plans encode alike.
func (p Plan) digest(b bound) string {
	var e encoding
	e.text("format", "cloudops plan 2")
	e.text("id", p.ID)
	argv := p.Command.Argv()
	e.count("argv", len(argv))
	for _, a := range argv {
		e.text("arg", a)
	}
	e.text("partition", p.Identity.Partition)
	e.text("endpoint", p.Endpoint)
	e.text("account", p.Identity.AccountID)
	e.text("command account", p.Command.AccountID)
	e.text("region", p.Command.Region)
	e.text("profile", p.Identity.Profile)
	e.text("principal", p.Identity.ARN)
	e.text("credentials", p.Identity.Source)
	e.count("targets", len(p.Targets))
	for _, t := range p.Targets {
		e.text("type", t.Type)
		e.text("id", t.ID)
		e.text("account", t.AccountID)
		e.text("region", t.Region)
		e.text("arn", t.ARN)
		e.text("immutable id", t.ImmutableID)
		created := ""
		if t.CreatedAt != nil {
			created = t.CreatedAt.UTC().Format(time.RFC3339Nano)
		}
		e.text("created", created)
		e.text("name", t.Name)
		e.texts("tags", t.Tags)
		e.text("state", t.State)
		e.texts("facts", t.Facts)
	}
	e.text("risk", string(p.Risk))
	e.text("access", p.Access)
	e.count("reasons", len(p.Reasons))
	for _, r := range p.Reasons {
		e.text("reason", r)
	}
	e.text("effect", p.Effect)
	e.text("actions", strings.Join(p.Actions, " "))
	e.text("runner", b.runner)
	e.text("build", b.build)
	e.text("catalog", b.catalog)
	e.text("policy", b.policy)
	e.text("expires", strconv.FormatInt(p.Expires.UnixNano(), 10))
	sum := sha256.Sum256(e.bytes)
	return hex.EncodeToString(sum[:])
}

type encoding struct{ bytes []byte }

func (e *encoding) text(name, value string) {
	for _, s := range []string{name, value} {
		e.bytes = binary.BigEndian.AppendUint32(e.bytes, uint32(len(s)))
		e.bytes = append(e.bytes, s...)
	}
}

func (e *encoding) texts(name string, values map[string]string) {
	e.count(name, len(values))
	for _, k := range slices.Sorted(maps.Keys(values)) {
		e.text("name", k)
		e.text("is", values[k])
	}
}

func (e *encoding) count(name string, n int) { e.text(name, strconv.Itoa(n)) }
