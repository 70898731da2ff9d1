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
		if root, _ := child(decoder); strings.EqualFold(root, "html") {
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
	root, err := child(decoder)
	switch {
	case err != nil:
		return unreadable(err)
	case root != d.root && root != d.other:
		return &FalseAnswer{What: fmt.Sprintf("<%.60s> where <%s> is due", root, d.root)}
	}
	for _, name := range d.path {
		found := ""
		for {
			if found, err = child(decoder); err != nil {
				return unreadable(err)
			}
			if found == name || found == "" {
				break
			}
			if err := decoder.Skip(); err != nil {
				return unreadable(err)
			}
		}
		if found == "" {
			return &FalseAnswer{What: "one without <" + name + ">"}
		}
	}
	// The SDK reads what lies between and stops where it has enough.
	if len(d.path) == 0 {
		if err := decoder.Skip(); err != nil {
			return unreadable(err)
		}
		return nil
	}
	last := body[bytes.LastIndexByte(body, '<'):]
	_, local, prefixed := bytes.Cut(bytes.TrimPrefix(last, []byte("</")), []byte(":"))
	if !prefixed {
		local = bytes.TrimPrefix(last, []byte("</"))
	}
	if !bytes.HasPrefix(last, []byte("</")) || !bytes.HasSuffix(local, []byte(">")) ||
		string(bytes.TrimSpace(bytes.TrimSuffix(local, []byte(">")))) != root {
		return &FalseAnswer{What: "one without its end", cut: true}
	}
	return nil
}

// child enters the next element and returns its local name; "" at the end of
// the one it is in.
func child(decoder *xml.Decoder) (string, error) {
	for {
		token, err := decoder.Token()
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.StartElement:
			return t.Name.Local, nil
		case xml.EndElement:
			return "", nil
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
