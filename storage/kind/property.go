package kind

// Property is something that people ask whether resources have it, whatever the
// type. The Fact that answers for a type says so, see Fact.Asks.
type Property struct {
	// Is says it of a resource: "encrypted", "a replica".
	Is string
	// Words ask for those that have it and Not for those that don't, each in one
	// or several words. A property that only Had leads to has none.
	Words, Not []string
	// Have and Lack say it of many behind "they", Has and Lacks of one behind "it".
	Have, Lack, Has, Lacks string
	// Told is Has where the value that tells it follows: "has the public address".
	Told string
	// Had is the property that its words mean where they are had and not been:
	// "with replicas"; nil where that is the same.
	Had *Property
}

// The properties.
var (
	Encrypted = &Property{Is: "encrypted", Have: "are encrypted", Lack: "are not encrypted", Has: "is encrypted", Lacks: "is not encrypted",
		Words: list("encrypted; encryption enabled; encryption on; encryption at rest; encrypted at rest; storage encryption; encryption"),
		Not:   list("unencrypted; non-encrypted; nonencrypted; unencrypted at rest; encryption disabled; encryption off; encryption turned off")}
	Public = &Property{Is: "public", Have: "have a public address", Lack: "have no public address", Has: "has a public address", Lacks: "has no public address",
		Told: "has the public address",
		Words: list(`public; public ip; public ips; public ip address; public ip addresses; public address; public addresses; public ipv4; public dns;
			publicly accessible; publicly reachable; publicly available; publicly exposed; public access; internet facing; internet-facing; publicly`),
		Not: list("private; non-public; nonpublic")}
	MultiAZ = &Property{Is: "Multi-AZ", Have: "are Multi-AZ", Lack: "are not Multi-AZ", Has: "is Multi-AZ", Lacks: "is not Multi-AZ",
		Words: list("multi-az; multi az; multiaz; multi-zone; multiple zones; multiple availability zones"),
		Not:   list("single-az; single az")}
	Protected = &Property{Is: "protected", Have: "are protected from deletion or termination", Lack: "are not protected from deletion or termination",
		Has: "is protected from deletion or termination", Lacks: "is not protected from deletion or termination",
		Words: list(`protected; protection; deletion protected; deletion-protected; deletion protection; delete protection; termination protected;
			termination protection; protected from deletion; protected against deletion; protected from termination; stop protection`),
		Not: list("unprotected; non-protected")}
	Spot = &Property{Is: "spot", Have: "are spot instances", Lack: "are not spot instances", Has: "is a spot instance", Lacks: "is no spot instance",
		Words: list("spot"), Not: list("on-demand; on demand; ondemand")}
	Replica = &Property{Is: "a replica", Have: "are read replicas", Lack: "are not read replicas", Has: "is a read replica", Lacks: "is no read replica",
		Words: list("read replica; read replicas; replica; replicas"), Had: HasReplicas}
	// HasReplicas is of what a Replica is made of.
	HasReplicas = &Property{Is: "replicated", Have: "have read replicas", Lack: "have no read replicas", Has: "has read replicas", Lacks: "has no read replicas"}
	Versioned   = &Property{Is: "versioned", Have: "keep versions", Lack: "keep no versions", Has: "keeps versions", Lacks: "keeps no versions",
		Words: list("versioned; versioning enabled; versioning on; versioning"),
		Not:   list("unversioned; versioning disabled; versioning off; versioning suspended")}
	// Tagged is of every type, and no Fact's: tags are no fact.
	Tagged = &Property{Is: "tagged", Have: "have tags", Lack: "have no tags", Has: "has tags", Lacks: "has no tags", Not: list("untagged")}
)

// Properties lists the properties that have words of their own.
func Properties() []*Property {
	return []*Property{Encrypted, Public, MultiAZ, Protected, Spot, Replica, Versioned, Tagged}
}

// Answer is whether something is so, as far as is known.
type Answer int

// The answers.
const (
	Unsure Answer = iota
	Yes
	No
)

func answer(is bool) Answer {
	if is {
		return Yes
	}
	return No
}

// Turned is the answer to the opposite.
func (a Answer) Turned() Answer { return [...]Answer{Unsure: Unsure, Yes: No, No: Yes}[a] }

// TagsUnknown is the fact, true or not there, that the tags of a resource could
// not be read; only types whose tags are apart have it.
const TagsUnknown = "tags_unknown"

// Has says whether a resource has a property. value is what the fact that tells
// so says beyond yes, such as an address; "" where that is all.
func (k *Kind) Has(p *Property, r View) (is Answer, value string) {
	if p == Tagged {
		if r.Facts[TagsUnknown] != "" {
			return Unsure, ""
		}
		return answer(len(r.Tags) > 0), ""
	}
	for _, f := range k.Facts {
		if f.Asks != p {
			continue
		}
		switch v := r.Facts[f.Name]; {
		case v == "" && f.Always:
			return No, ""
		case v == "" || v == Unread:
			return Unsure, ""
		case len(f.Yes) > 0:
			return answer(Condition{Is: f.Yes}.fits(v)), ""
		case v == "true" || v == "false":
			return answer(v == "true"), ""
		default:
			return Yes, v
		}
	}
	return Unsure, ""
}
