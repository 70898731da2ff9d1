package aws

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// FalseAnswer is the error of a call whose answer is not AWS's to that call: a
// sign-in page, nothing, half of it, or what another operation answers. Whether
// AWS acted is unknown.
type FalseAnswer struct {
	// What says what came instead; of the answer it repeats a name at most.
	What string
	// Status is the HTTP status.
	Status int

	cut bool
}

// NotAWS is a FalseAnswer that came as a success; what says what came instead.
func NotAWS(what string) error { return &FalseAnswer{What: what, Status: http.StatusOK} }

func (e *FalseAnswer) Error() string {
	s := "the answer is not AWS's: " + e.What
	if e.Status != http.StatusOK {
		s += fmt.Sprintf(" (HTTP status %d)", e.Status)
	}
	return s
}

// HTTPStatusCode lets the SDK's rules of retrying see the status.
func (e *FalseAnswer) HTTPStatusCode() int { return e.Status }

// Unwrap makes an answer without its end one that was cut off.
func (e *FalseAnswer) Unwrap() error {
	if e.cut {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// maxAnswer bounds the bytes of one answer; the largest pages have a few MiB.
const maxAnswer = 64 << 20

// Genuine makes a client refuse answers that are not AWS's to its call, with a
// *FalseAnswer: the SDK reads a 200 without anything that it knows as an empty
// result. It belongs into the APIOptions of every configuration.
func Genuine(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("cloudops.Genuine", genuine), middleware.After)
}

func genuine(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	resp, ok := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !ok {
		return out, metadata, err
	}
	success := resp.StatusCode >= 200 && resp.StatusCode < 300
	if request, ok := in.Request.(*smithyhttp.Request); ok && request.Method == http.MethodHead {
		if success && !signed(resp.Header) {
			return out, metadata, &FalseAnswer{What: "a success that nothing shows to be AWS's", Status: resp.StatusCode}
		}
		return out, metadata, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return out, metadata, fmt.Errorf("reading the answer: %w", err)
	}
	var answer *FalseAnswer
	if success {
		answer = judge(awsmiddleware.GetServiceID(ctx), middleware.GetOperationName(ctx), body)
	} else {
		answer = judgeRefusal(resp, body)
	}
	if answer != nil {
		answer.Status = resp.StatusCode
		return out, metadata, answer
	}
	return out, metadata, nil
}

// signed says whether an answer has a header that AWS puts on each, such as
// X-Amz-Request-Id.
func signed(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, "X-Amz") {
			return true
		}
	}
	return false
}

// due is what the answer of an operation is known by.
type due struct {
	// root is the name of its XML element, as is other; "" for a JSON object.
	root, other string
	// path leads to a member that it always has; it may be empty.
	path []string
	// list is what that member lists, if it is a list: see lists.
	list []string
}

// members are what the answers of operations always have, an empty list included.
var members = map[string]string{
	"DescribeInstances": "reservationSet", "DescribeRegions": "regionInfo",
	"StartInstances": "instancesSet", "StopInstances": "instancesSet",
	"RebootInstances": "requestId", // of moto's, which has no more

	"DescribeDBInstances": "DBInstances", "StartDBInstance": "DBInstance", "StopDBInstance": "DBInstance", "RebootDBInstance": "DBInstance",
	"DescribeDBClusters": "DBClusters", "StartDBCluster": "DBCluster", "StopDBCluster": "DBCluster", "RebootDBCluster": "DBCluster",

	"GetCallerIdentity": "Account", "AssumeRole": "Credentials", "AssumeRoleWithWebIdentity": "Credentials",

	"ListBuckets": "Buckets", "GetBucketTagging": "TagSet",

	"GetRoleCredentials": "roleCredentials", "CreateToken": "accessToken", "CreateOAuth2Token": "accessToken",
}

// lists says what the members that are lists consist of: the element of each
// item, then what each item has, which is a list again if more follows, and a
// text that is not empty otherwise. The SDK skips everything else in a list, and
// what remains passes for an empty one.
var lists = map[string][]string{
	"DescribeInstances": {"item", "instancesSet", "item", "instanceId"}, "DescribeRegions": {"item", "regionName"},
	"StartInstances": {"item", "instanceId"}, "StopInstances": {"item", "instanceId"},

	"DescribeDBInstances": {"DBInstance", "DBInstanceIdentifier"}, "DescribeDBClusters": {"DBCluster", "DBClusterIdentifier"},

	"ListBuckets": {"Bucket", "Name"}, "GetBucketTagging": {"Tag", "Key"},
}

// s3Roots are the elements of S3's answers, whose names follow no rule.
var s3Roots = map[string]string{
	"ListBuckets":         "ListAllMyBucketsResult",
	"GetBucketLocation":   "LocationConstraint",
	"GetBucketTagging":    "Tagging",
	"GetBucketVersioning": "VersioningConfiguration",
}

// answerOf is what an operation's answer is known by, false if that is unknown.
func answerOf(service, operation string) (due, bool) {
	d := due{}
	switch service {
	case "EC2":
		d.root = operation + "Response"
	case "RDS", "STS", "IAM":
		d.root, d.path = operation+"Response", []string{operation + "Result"}
	case "S3":
		if d.root = s3Roots[operation]; d.root == "" {
			return d, false
		}
		d.other = operation + "Response" // moto's, which names the operation as well
	case "SSO", "SSO OIDC", "Signin":
	default:
		return d, false
	}
	if member := members[operation]; member != "" {
		d.path = append(d.path, member)
	}
	d.list = lists[operation]
	return d, true
}

// judge says what is wrong with the answer to a call that succeeded; nil for nothing.
func judge(service, operation string, body []byte) *FalseAnswer {
	d, ok := answerOf(service, operation)
	if !ok {
		// Whoever adds a call says how its answer is known.
		return &FalseAnswer{What: "nobody can tell what " + service + " answers to " + operation}
	}
	if len(body) > maxAnswer {
		return &FalseAnswer{What: "one that is far too large"}
	}
	if d.root == "" {
		return judgeJSON(d, body)
	}
	return judgeXML(d, body)
}

// foreign says what a body is that can't be AWS's; "" if it may be.
func foreign(body []byte) string {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return "an empty one"
	}
	const page = "a web page, such as the sign-in page of a proxy"
	const doctype = "<!doctype html"
	if len(body) > len(doctype) && strings.EqualFold(string(body[:len(doctype)]), doctype) {
		return page
	}
	if body[0] == '<' {
		decoder := xml.NewDecoder(bytes.NewReader(body))
		decoder.Strict = false
		if root, _, _ := child(decoder); strings.EqualFold(root, "html") {
			return page
		}
	}
	return ""
}

func judgeXML(d due, body []byte) *FalseAnswer {
	if what := foreign(body); what != "" {
		return &FalseAnswer{What: what}
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	if body[0] == '{' || body[0] == '[' {
		return &FalseAnswer{What: "JSON where XML is due"}
	}
	if body[0] != '<' {
		return &FalseAnswer{What: "text where XML is due"}
	}
	decoder := xml.NewDecoder(bytes.NewReader(body))
	root, _, err := child(decoder)
	switch {
	case err != nil:
		return unreadable(err)
	case root != d.root && root != d.other:
		return &FalseAnswer{What: fmt.Sprintf("<%.60s> where <%s> is due", root, d.root)}
	}
	if answer := judgeMembers(decoder, d.path, d.list); answer != nil {
		return answer
	}
	if _, text, err := child(decoder); !errors.Is(err, io.EOF) || text != "" {
		return &FalseAnswer{What: "one that goes on after its end"}
	}
	return nil
}

// judgeMembers reads an element to its end: the path leads on from it.
func judgeMembers(decoder *xml.Decoder, path, list []string) *FalseAnswer {
	found := len(path) == 0
	more, next := false, false
	for {
		name, _, err := child(decoder)
		switch {
		case err != nil:
			return unreadable(err)
		case name == "" && !found:
			return &FalseAnswer{What: "one without <" + path[0] + ">"}
		case name == "" && more && !next:
			// The SDK goes by the token alone and takes the list for whole.
			return &FalseAnswer{What: "one that has more to come, and does not say where"}
		case name == "":
			return nil
		case name == "Error" || name == "Errors":
			return &FalseAnswer{What: "an error in an answer that says yes"}
		}
		var answer *FalseAnswer
		switch due := len(path) > 0 && name == path[0]; {
		case due && len(path) > 1:
			found, answer = true, judgeMembers(decoder, path[1:], list)
		case due && len(list) > 0:
			found, answer = true, judgeList(decoder, list)
		case strings.EqualFold(name, "IsTruncated"):
			var said string
			said, answer = text(decoder)
			more = more || strings.EqualFold(said, "true")
		case strings.HasSuffix(name, "Token") || strings.HasSuffix(name, "Marker"):
			var said string
			said, answer = text(decoder)
			next = next || said != ""
		default:
			found = found || due
			if err := decoder.Skip(); err != nil {
				answer = unreadable(err)
			}
		}
		if answer != nil {
			return answer
		}
	}
}

// text reads an element that holds nothing else.
func text(decoder *xml.Decoder) (string, *FalseAnswer) {
	inner, said, err := child(decoder)
	switch {
	case err != nil:
		return "", unreadable(err)
	case inner != "":
		return "", &FalseAnswer{What: fmt.Sprintf("<%.60s> where text is due", inner)}
	}
	return said, nil
}

// judgeList reads a list to its end; see lists.
func judgeList(decoder *xml.Decoder, list []string) *FalseAnswer {
	for {
		name, text, err := child(decoder)
		switch {
		case err != nil:
			return unreadable(err)
		case text != "":
			return &FalseAnswer{What: "text in a list of <" + list[0] + ">"}
		case name == "":
			return nil
		case name != list[0]:
			return &FalseAnswer{What: fmt.Sprintf("<%.60s> in a list of <%s>", name, list[0])}
		}
		if answer := judgeItem(decoder, list[0], list[1:]); answer != nil {
			return answer
		}
	}
}

// judgeItem reads an item of a list to its end; has begins with what it has.
func judgeItem(decoder *xml.Decoder, item string, has []string) *FalseAnswer {
	found := false
	for {
		name, _, err := child(decoder)
		switch {
		case err != nil:
			return unreadable(err)
		case name == "" && !found:
			return &FalseAnswer{What: "<" + item + "> without <" + has[0] + ">"}
		case name == "":
			return nil
		case !strings.EqualFold(name, has[0]): // the SDK reads it in any letters
			if err := decoder.Skip(); err != nil {
				return unreadable(err)
			}
		case len(has) > 1:
			found = true
			if answer := judgeList(decoder, has[1:]); answer != nil {
				return answer
			}
		default:
			said, answer := text(decoder)
			if answer != nil {
				return answer
			}
			found = said != ""
		}
	}
}

// child enters the next element and returns its local name, "" at the end of
// the one it is in, and the text before, without space around it.
func child(decoder *xml.Decoder) (name, text string, err error) {
	for {
		token, err := decoder.Token()
		if err != nil {
			return "", text, err
		}
		switch t := token.(type) {
		case xml.CharData:
			text += string(bytes.TrimSpace(t))
		case xml.StartElement:
			return t.Name.Local, text, nil
		case xml.EndElement:
			return "", text, nil
		}
	}
}

func judgeJSON(d due, body []byte) *FalseAnswer {
	if what := foreign(body); what != "" {
		return &FalseAnswer{What: what}
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) && syntax.Offset >= int64(len(body)) && bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
			return &FalseAnswer{What: "one without its end", cut: true}
		}
		return &FalseAnswer{What: "no JSON object"}
	}
	for _, name := range d.path {
		if value := object[name]; value == nil || string(value) == "null" {
			return &FalseAnswer{What: "one without " + name}
		}
	}
	return nil
}

// unreadable is an answer that is XML at its beginning only.
func unreadable(err error) *FalseAnswer {
	var syntax *xml.SyntaxError
	if errors.Is(err, io.EOF) || (errors.As(err, &syntax) && strings.Contains(syntax.Msg, "unexpected EOF")) {
		return &FalseAnswer{What: "one without its end", cut: true}
	}
	return &FalseAnswer{What: "one that is no XML"}
}

// judgeRefusal says what is wrong with an answer that says no; nil for nothing.
// What can be an error of AWS's is left to the SDK.
func judgeRefusal(resp *smithyhttp.Response, body []byte) *FalseAnswer {
	what := foreign(body)
	switch trimmed := bytes.TrimSpace(body); {
	case len(trimmed) == 0:
		// Load balancers of AWS say nothing when they are overloaded.
		if resp.StatusCode >= 500 || signed(resp.Header) {
			return nil
		}
	case what == "" && !bytes.ContainsAny(trimmed[:1], "<{\xef") && !signed(resp.Header):
		what = "text, such as a proxy's"
	}
	if what == "" {
		return nil
	}
	return &FalseAnswer{What: what}
}
