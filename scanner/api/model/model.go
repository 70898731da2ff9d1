// Package model is what each AWS service, operation and shape is, as botocore's
// models, IAM's reference and the aws CLI have it, embedded and compressed.
//
// Find and FindService look names up, in AWS's spelling or the CLI's, and load
// no model. Load gives the model of a service; what it was asked for last is
// kept, up to a bound. generate.py writes data/.
//
// Invariants: what was given out is never changed, also after it was evicted,
// so it may be read by many at once; every reference between shapes is resolved
// before Load returns; members stand in the order of AWS's model, which XML
// needs in places.
package model

import (
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// Protocol is how a service is spoken to.
type Protocol string

// The protocols. Of several that a service speaks, the first of these counts.
const (
	JSON     Protocol = "json"
	RestJSON Protocol = "rest-json"
	RestXML  Protocol = "rest-xml"
	CBOR     Protocol = "smithy-rpc-v2-cbor"
	Query    Protocol = "query"
	EC2      Protocol = "ec2"
)

// Access is IAM's level of access of an operation.
type Access string

// The levels. What is Unknown may write.
const (
	Unknown     Access = ""
	List        Access = "List"
	Read        Access = "Read"
	Write       Access = "Write"
	Tagging     Access = "Tagging"
	Permissions Access = "Permissions management"
)

// Reads reports whether the level is known to change nothing.
func (a Access) Reads() bool { return a == List || a == Read }

// Service is one AWS service.
type Service struct {
	// Name is botocore's: rds, stepfunctions, s3.
	Name string `json:"name"`
	// Command is the CLI's: rds, stepfunctions, s3api; empty where it has none.
	Command string `json:"command"`
	// ID is AWS's: RDS, SFN, S3.
	ID           string `json:"id"`
	FullName     string `json:"fullName"`
	Abbreviation string `json:"abbreviation"`
	// Version is the API's, a date.
	Version          string `json:"version"`
	EndpointPrefix   string `json:"endpointPrefix"`
	GlobalEndpoint   string `json:"globalEndpoint"`
	SigningName      string `json:"signingName"`
	SignatureVersion string `json:"signatureVersion"`
	// Auth are the schemes, the one that AWS prefers first: aws.auth#sigv4.
	Auth []string `json:"auth"`
	// Protocol is the one to speak, Protocols all that the service speaks.
	Protocol     Protocol   `json:"protocol"`
	Protocols    []Protocol `json:"protocols"`
	TargetPrefix string     `json:"targetPrefix"`
	JSONVersion  string     `json:"jsonVersion"`
	XMLNamespace *Namespace `json:"xmlNamespace"`
	// QueryCompatible: errors carry the codes of the query protocol in a header.
	QueryCompatible bool   `json:"queryCompatible"`
	ChecksumFormat  string `json:"checksumFormat"`
	// H2 says whether HTTP/2 is needed: "", optional or eventstream.
	H2 string `json:"h2"`
	// ClientContext are the parameters of the endpoint rules that a client
	// sets, with their types.
	ClientContext map[string]string `json:"clientContext"`
	// Scopes are the scopes of signatures where the endpoint rules name none.
	Scopes []Scope `json:"scopes"`
	// Rules is the rule set of endpoints, as botocore has it.
	Rules jsontext.Value `json:"rules"`
	// Operations are sorted by name.
	Operations []*Operation `json:"operations"`
	// Shapes are those of inputs, outputs and errors, by name.
	Shapes  map[string]*Shape `json:"shapes"`
	Waiters []Waiter          `json:"waiters"`
	// Resources are the patterns of the ARNs of the types that the operations'
	// IAM actions name, by prefix and type: "s3:bucket".
	Resources map[string]string `json:"resources"`

	operations map[string]*Operation
}

// Operation finds an operation by AWS's name or the CLI's.
func (s *Service) Operation(name string) (*Operation, bool) {
	o, ok := s.operations[name]
	return o, ok
}

// Operation is one operation of a service.
type Operation struct {
	Name string `json:"name"`
	// CLI is the CLI's name; empty where it has no such command.
	CLI string `json:"cli"`
	// Doc is the first sentence of the documentation.
	Doc string `json:"doc"`

	Method string `json:"method"`
	URI    string `json:"uri"`
	// Code is the status of success.
	Code int `json:"code"`

	// Input and Output are nil where the operation has none.
	Input  *Shape `json:"input"`
	Output *Shape `json:"output"`
	// InputName and InputNamespace are those of the root of an XML body.
	InputName      string     `json:"inputName"`
	InputNamespace *Namespace `json:"inputNamespace"`
	// Wrapper is the element around the answer of the query protocol.
	Wrapper string   `json:"wrapper"`
	Errors  []*Shape `json:"errors"`

	// Auth are the operation's own schemes, AuthType the older trait: none,
	// bearer, v4-unsigned-body.
	Auth            []string `json:"auth"`
	AuthType        string   `json:"authtype"`
	UnsignedPayload bool     `json:"unsignedPayload"`

	HostPrefix string `json:"hostPrefix"`
	// StaticContext are parameters of the endpoint rules that the operation
	// sets, OperationContext the paths of those that its input sets.
	StaticContext    map[string]any    `json:"staticContext"`
	OperationContext map[string]string `json:"operationContext"`
	// Discovery is whether the endpoint must be asked for: "", optional or
	// required; Discovers: this is the operation that asks.
	Discovery string `json:"discovery"`
	Discovers bool   `json:"discovers"`

	Checksum         *Checksum `json:"checksum"`
	ChecksumRequired bool      `json:"checksumRequired"`
	Compression      []string  `json:"compression"`

	// ReadOnly and Idempotent are what the service's own model says.
	ReadOnly          bool   `json:"readonly"`
	Idempotent        bool   `json:"idempotent"`
	Deprecated        bool   `json:"deprecated"`
	DeprecatedMessage string `json:"deprecatedMessage"`

	Pages *Pages `json:"pages"`
	// IAM is nil where no action bears the operation's name.
	IAM *Action `json:"iam"`

	// Arguments are the CLI's names of top-level members where they are odd.
	Arguments map[string]string `json:"arguments"`
}

// Access is IAM's level, or Read where only the service's own model says that
// the operation reads.
func (o *Operation) Access() Access {
	switch {
	case o.IAM != nil:
		return o.IAM.Access
	case o.ReadOnly:
		return Read
	}
	return Unknown
}

// Argument is the CLI's name of a top-level member of the input, without
// dashes in front; empty where the CLI takes none.
func (o *Operation) Argument(member string) string { return spelling(member, o.Arguments[member]) }

// Action is the IAM action of an operation.
type Action struct {
	// Action is the full name: s3:GetObject.
	Action string `json:"action"`
	Access Access `json:"access"`
	// Resources are the types that it applies to; a star behind one: it needs one.
	Resources []string `json:"resources"`
	// Dependent are actions that are needed besides, in some uses.
	Dependent []string `json:"dependent"`
}

// Checksum is the trait of operations with flexible checksums.
type Checksum struct {
	Required bool `json:"required"`
	// AlgorithmMember names the input's member that chooses the algorithm,
	// ValidationMember the one that asks for the answer's.
	AlgorithmMember  string   `json:"algorithmMember"`
	ValidationMember string   `json:"validationMember"`
	Algorithms       []string `json:"algorithms"`
}

// Pages is how an operation is paged. Input and Output are paths of tokens, one
// for one; Result are the paths of what is collected, Other of what every page
// repeats.
type Pages struct {
	Input  []string `json:"input"`
	Output []string `json:"output"`
	More   string   `json:"more"`
	Limit  string   `json:"limit"`
	Result []string `json:"result"`
	Other  []string `json:"other"`
}

// Waiter repeats an operation until a state is reached.
type Waiter struct {
	Name      string `json:"name"`
	Operation string `json:"operation"`
	// Delay is in seconds.
	Delay     int        `json:"delay"`
	Attempts  int        `json:"attempts"`
	Acceptors []Acceptor `json:"acceptors"`
}

// Acceptor says what an answer means to a waiter.
type Acceptor struct {
	// State is success, failure or retry.
	State string `json:"state"`
	// Matcher is path, pathAll, pathAny, status or error.
	Matcher  string `json:"matcher"`
	Argument string `json:"argument"`
	// Expected is a string, a number or a bool.
	Expected any `json:"expected"`
}

// Scope is the scope of signatures for an endpoint of endpoints.json.
type Scope struct {
	Partition string `json:"partition"`
	// Endpoint is a region, or a name such as aws-global; empty: any.
	Endpoint string `json:"endpoint"`
	Region   string `json:"region"`
	Service  string `json:"service"`
	// Only: the partition has no other endpoint of the service.
	Only bool `json:"only"`
}

// Namespace is an XML namespace.
type Namespace struct {
	URI    string `json:"uri"`
	Prefix string `json:"prefix"`
}

// Type is that of a shape.
type Type string

// The types.
const (
	Structure Type = "structure"
	ListType  Type = "list"
	Map       Type = "map"
	String    Type = "string"
	Blob      Type = "blob"
	Boolean   Type = "boolean"
	Integer   Type = "integer"
	Long      Type = "long"
	Float     Type = "float"
	Double    Type = "double"
	Timestamp Type = "timestamp"
)

// Shape is a type of a service.
type Shape struct {
	Name string `json:"-"`
	Type Type   `json:"type"`

	// Members are a structure's, in AWS's order; Payload names the one that is
	// the body.
	Members []*Member `json:"members"`
	Payload string    `json:"payload"`
	// Element is a list's; Key and Value are a map's.
	Element *Member `json:"member"`
	Key     *Member `json:"key"`
	Value   *Member `json:"value"`

	LocationName    string     `json:"locationName"`
	XMLNamespace    *Namespace `json:"xmlNamespace"`
	TimestampFormat string     `json:"timestampFormat"`
	Flattened       bool       `json:"flattened"`
	Wrapper         bool       `json:"wrapper"`
	// Union: exactly one member is set. Document: any JSON. EventStream and
	// Event are the stream and one kind of its events.
	Union          bool `json:"union"`
	Document       bool `json:"document"`
	EventStream    bool `json:"eventstream"`
	Event          bool `json:"event"`
	Sensitive      bool `json:"sensitive"`
	Streaming      bool `json:"streaming"`
	RequiresLength bool `json:"requiresLength"`
	Sparse         bool `json:"sparse"`
	Deprecated     bool `json:"deprecated"`

	Enum    []string `json:"enum"`
	Pattern string   `json:"pattern"`
	// Min and Max bound a number's value and the length of all else.
	Min *float64 `json:"min"`
	Max *float64 `json:"max"`

	// Exception: the shape is an error. Fault: it is the service's. Retryable
	// is "", yes or throttling.
	Exception bool   `json:"exception"`
	Fault     bool   `json:"fault"`
	Retryable string `json:"retryable"`
	Error     *Error `json:"error"`
}

// Member finds a structure's member by its exact name.
func (s *Shape) Member(name string) (*Member, bool) {
	for _, m := range s.Members {
		if m.Name == name {
			return m, true
		}
	}
	return nil, false
}

// Error is what the query protocols say of an error.
type Error struct {
	// Code is the name on the wire where it is not the shape's.
	Code   string `json:"code"`
	Status int    `json:"status"`
	Sender bool   `json:"sender"`
}

// Member is the use of a shape: by a structure, as an element, a key or a value.
type Member struct {
	// Name is empty but in a structure.
	Name  string `json:"name"`
	Shape *Shape `json:"shape"`
	// Location is where in HTTP it goes: uri, querystring, header, headers,
	// statusCode; empty: the body.
	Location     string     `json:"location"`
	LocationName string     `json:"locationName"`
	QueryName    string     `json:"queryName"`
	XMLNamespace *Namespace `json:"xmlNamespace"`
	// ContextParam is the parameter of the endpoint rules that it sets.
	ContextParam     string `json:"contextParam"`
	Required         bool   `json:"required"`
	Flattened        bool   `json:"flattened"`
	XMLAttribute     bool   `json:"xmlAttribute"`
	IdempotencyToken bool   `json:"idempotencyToken"`
	HostLabel        bool   `json:"hostLabel"`
	JSONValue        bool   `json:"jsonvalue"`
	Streaming        bool   `json:"streaming"`
	EventPayload     bool   `json:"eventpayload"`
	Deprecated       bool   `json:"deprecated"`
}

// spelling is the CLI's spelling of a name of AWS's: odd, if that is given, a
// dash for none; else what the CLI's rule makes of it.
func spelling(name, odd string) string {
	switch {
	case odd == "-":
		return ""
	case odd != "":
		return odd
	case strings.Contains(name, "-"):
		return name
	}
	// ACLs is acls, not ac-ls.
	if capitals := strings.TrimRightFunc(strings.TrimSuffix(name, "s"), unicode.IsUpper); strings.HasSuffix(name, "s") && len(name)-len(capitals) > 2 {
		name = capitals + "-" + strings.ToLower(name[len(capitals):])
	}
	// A word of a capital and small letters is cut off from what is before it.
	words := make([]byte, 0, 2*len(name))
	for i := 0; i < len(name); {
		words = append(words, name[i])
		if i++; i+1 < len(name) && upper(name[i]) && lower(name[i+1]) {
			words = append(words, '-', name[i])
			for i++; i < len(name) && lower(name[i]); i++ {
				words = append(words, name[i])
			}
		}
	}
	// So is a capital from a small letter or a digit.
	out := make([]byte, 0, 2*len(words))
	for i, c := range words {
		if i > 0 && upper(c) && (lower(words[i-1]) || '0' <= words[i-1] && words[i-1] <= '9') {
			out = append(out, '-')
		}
		out = append(out, c)
	}
	return strings.ToLower(string(out))
}

func upper(c byte) bool { return 'A' <= c && c <= 'Z' }
func lower(c byte) bool { return 'a' <= c && c <= 'z' }
