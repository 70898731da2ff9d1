package aws

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/signin"
	signintypes "github.com/aws/aws-sdk-go-v2/service/signin/types"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
)

// query is an answer of RDS or STS.
func query(operation, result string) string {
	return `<?xml version="1.0"?>` + "\n<" + operation + `Response xmlns="http://example.amazonaws.com/doc/"><` + operation + "Result>" + result +
		"</" + operation + "Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></" + operation + "Response>\n"
}

func ec2Answer(operation, result string) string {
	return "<" + operation + `Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>` + result + "</" + operation + "Response>"
}

// call is an operation that cloudops uses, with an answer of AWS's to it.
type call struct {
	service, operation string
	genuine            string
	make               func(context.Context, aws.Config) error
}

// of adapts a method of an SDK client.
func of[C, I, O, P any](client func(aws.Config, ...func(*P)) C, method func(C, context.Context, *I, ...func(*P)) (*O, error), in I) func(context.Context, aws.Config) error {
	return func(ctx context.Context, cfg aws.Config) error {
		out, err := method(client(cfg), ctx, &in)
		if err == nil && out == nil {
			return errors.New("neither an output nor an error")
		}
		return err
	}
}

var (
	id    = aws.String("x")
	calls = []call{
		{"EC2", "DescribeInstances", ec2Answer("DescribeInstances", "<reservationSet/>"), of(ec2.NewFromConfig, (*ec2.Client).DescribeInstances, ec2.DescribeInstancesInput{})},
		{"EC2", "DescribeInstanceAttribute", ec2Answer("DescribeInstanceAttribute", "<instanceId>x</instanceId><disableApiStop><value>true</value></disableApiStop>"), of(ec2.NewFromConfig, (*ec2.Client).DescribeInstanceAttribute, ec2.DescribeInstanceAttributeInput{InstanceId: id, Attribute: ec2types.InstanceAttributeNameDisableApiStop})},
		{"EC2", "DescribeRegions", ec2Answer("DescribeRegions", "<regionInfo><item><regionName>eu-west-1</regionName></item></regionInfo>"), of(ec2.NewFromConfig, (*ec2.Client).DescribeRegions, ec2.DescribeRegionsInput{})},
		{"EC2", "StartInstances", ec2Answer("StartInstances", "<instancesSet/>"), of(ec2.NewFromConfig, (*ec2.Client).StartInstances, ec2.StartInstancesInput{InstanceIds: []string{"x"}})},
		{"EC2", "StopInstances", ec2Answer("StopInstances", "<instancesSet/>"), of(ec2.NewFromConfig, (*ec2.Client).StopInstances, ec2.StopInstancesInput{InstanceIds: []string{"x"}})},
		{"EC2", "RebootInstances", ec2Answer("RebootInstances", "<return>true</return>"), of(ec2.NewFromConfig, (*ec2.Client).RebootInstances, ec2.RebootInstancesInput{InstanceIds: []string{"x"}})},

		{"RDS", "DescribeDBInstances", query("DescribeDBInstances", "<Marker>m</Marker><DBInstances/>"), of(rds.NewFromConfig, (*rds.Client).DescribeDBInstances, rds.DescribeDBInstancesInput{})},
		{"RDS", "DescribeDBClusters", query("DescribeDBClusters", "<DBClusters></DBClusters>"), of(rds.NewFromConfig, (*rds.Client).DescribeDBClusters, rds.DescribeDBClustersInput{})},
		{"RDS", "StartDBInstance", query("StartDBInstance", "<DBInstance/>"), of(rds.NewFromConfig, (*rds.Client).StartDBInstance, rds.StartDBInstanceInput{DBInstanceIdentifier: id})},
		{"RDS", "StopDBInstance", query("StopDBInstance", "<DBInstance/>"), of(rds.NewFromConfig, (*rds.Client).StopDBInstance, rds.StopDBInstanceInput{DBInstanceIdentifier: id})},
		{"RDS", "RebootDBInstance", query("RebootDBInstance", "<DBInstance/>"), of(rds.NewFromConfig, (*rds.Client).RebootDBInstance, rds.RebootDBInstanceInput{DBInstanceIdentifier: id})},
		{"RDS", "StartDBCluster", query("StartDBCluster", "<DBCluster/>"), of(rds.NewFromConfig, (*rds.Client).StartDBCluster, rds.StartDBClusterInput{DBClusterIdentifier: id})},
		{"RDS", "StopDBCluster", query("StopDBCluster", "<DBCluster/>"), of(rds.NewFromConfig, (*rds.Client).StopDBCluster, rds.StopDBClusterInput{DBClusterIdentifier: id})},
		{"RDS", "RebootDBCluster", query("RebootDBCluster", "<DBCluster/>"), of(rds.NewFromConfig, (*rds.Client).RebootDBCluster, rds.RebootDBClusterInput{DBClusterIdentifier: id})},

		{"STS", "GetCallerIdentity", query("GetCallerIdentity", "<Arn>a</Arn><Account>1</Account>"), of(sts.NewFromConfig, (*sts.Client).GetCallerIdentity, sts.GetCallerIdentityInput{})},
		{"STS", "AssumeRole", query("AssumeRole", "<Credentials/>"), of(sts.NewFromConfig, (*sts.Client).AssumeRole, sts.AssumeRoleInput{RoleArn: id, RoleSessionName: id})},
		{"STS", "AssumeRoleWithWebIdentity", query("AssumeRoleWithWebIdentity", "<Credentials/>"), of(sts.NewFromConfig, (*sts.Client).AssumeRoleWithWebIdentity, sts.AssumeRoleWithWebIdentityInput{RoleArn: id, RoleSessionName: id, WebIdentityToken: id})},

		{"S3", "ListBuckets", `<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner/><Buckets/></ListAllMyBucketsResult>`, of(s3.NewFromConfig, (*s3.Client).ListBuckets, s3.ListBucketsInput{})},
		{"S3", "GetBucketLocation", `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>`, of(s3.NewFromConfig, (*s3.Client).GetBucketLocation, s3.GetBucketLocationInput{Bucket: id})},
		{"S3", "GetBucketTagging", `<Tagging><TagSet/></Tagging>`, of(s3.NewFromConfig, (*s3.Client).GetBucketTagging, s3.GetBucketTaggingInput{Bucket: id})},
		{"S3", "GetBucketVersioning", `<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>`, of(s3.NewFromConfig, (*s3.Client).GetBucketVersioning, s3.GetBucketVersioningInput{Bucket: id})},

		{"SSO", "GetRoleCredentials", `{"roleCredentials":{"accessKeyId":"a"}}`, of(sso.NewFromConfig, (*sso.Client).GetRoleCredentials, sso.GetRoleCredentialsInput{AccessToken: id, AccountId: id, RoleName: id})},
		{"SSO OIDC", "CreateToken", `{"accessToken":"t"}`, of(ssooidc.NewFromConfig, (*ssooidc.Client).CreateToken, ssooidc.CreateTokenInput{ClientId: id, ClientSecret: id, GrantType: id})},
		{"Signin", "CreateOAuth2Token", `{"accessToken":{"accessKeyId":"a","secretAccessKey":"s","sessionToken":"t"},"tokenType":"t","expiresIn":1,"refreshToken":"r"}`,
			of(signin.NewFromConfig, (*signin.Client).CreateOAuth2Token, signin.CreateOAuth2TokenInput{TokenInput: &signintypes.CreateOAuth2TokenRequestBody{ClientId: id, GrantType: id, RefreshToken: id}})},
	}
)

// standIn answers everything alike and counts.
func standIn(t *testing.T, status int, header http.Header, body string) (aws.Config, *int) {
	t.Helper()
	count := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count++
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return aws.Config{
		Region: "us-west-2", BaseEndpoint: &s.URL, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		Retryer:    func() aws.Retryer { return aws.NopRetryer{} },
		APIOptions: []func(*middleware.Stack) error{Genuine},
	}, &count
}

const (
	page  = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><form action=\"/login\"></form></body></html>"
	xhtml = `<?xml version="1.0" encoding="UTF-8"?><!-- guest network --><html xmlns="http://www.w3.org/1999/xhtml"><body/></html>`
)

// Everything that is no answer of AWS's to the call, in every operation, is an
// error and says what came; AWS's own answer is none.
func TestOnlyItsOwnAnswerAnswersACall(t *testing.T) {
	for _, c := range calls {
		t.Run(c.operation, func(t *testing.T) {
			t.Parallel()
			cfg, _ := standIn(t, 200, nil, c.genuine)
			if err := c.make(t.Context(), cfg); err != nil {
				t.Fatalf("AWS's own answer: %v", err)
			}
			other := query("ListQueues", "<Queues/>")
			if c.service == "SSO" || c.service == "SSO OIDC" || c.service == "Signin" {
				other = `{"queues":[]}`
			}
			mixed := `{"reservations":[],"buckets":[]}`
			for name, f := range map[string]struct {
				status int
				body   string
				says   string
			}{
				"sign-in page":     {200, page, "sign-in page"},
				"XHTML":            {200, xhtml, "sign-in page"},
				"upper-case HTML":  {200, "<HTML><BODY>Welcome<BR></BODY></HTML>", "sign-in page"},
				"empty":            {200, "", "empty"},
				"blank":            {200, " \r\n", "empty"},
				"text":             {200, "OK", ""},
				"JSON":             {200, mixed, ""},
				"list":             {200, "[]", ""},
				"another answer":   {200, other, ""},
				"an error":         {200, "<ErrorResponse><Error><Code>InternalError</Code></Error></ErrorResponse>", ""},
				"half":             {200, c.genuine[:len(c.genuine)/2], ""},
				"accepted":         {202, page, "202"},
				"to a login":       {302, page, "302"},
				"refused by HTML":  {403, page, "403"},
				"refused by text":  {403, "Blocked by policy", "403"},
				"refused silently": {403, "", "403"},
				"unavailable":      {503, page, "503"},
			} {
				cfg, count := standIn(t, f.status, http.Header{"Content-Type": {"text/html"}}, f.body)
				err := c.make(t.Context(), cfg)
				var answer *FalseAnswer
				if !errors.As(err, &answer) || !strings.Contains(err.Error(), f.says) {
					t.Errorf("%s: %v, want a false answer with %q", name, err, f.says)
				}
				if *count != 1 {
					t.Errorf("%s: sent %d times", name, *count)
				}
			}
		})
	}
}

// No beginning of an answer passes for the whole, wherever it was cut.
func TestNoPartOfAnAnswerPassesForTheWhole(t *testing.T) {
	for _, c := range calls {
		whole := strings.TrimSpace(c.genuine)
		if answer := judge(c.service, c.operation, []byte(whole)); answer != nil {
			t.Errorf("%s: the whole is refused: %v", c.operation, answer)
		}
		for n := range len(whole) {
			answer := judge(c.service, c.operation, []byte(whole[:n]))
			if answer == nil {
				t.Errorf("%s: taken for whole: %s", c.operation, whole[:n])
			} else if n > len(whole)*3/4 && !errors.Is(answer, io.ErrUnexpectedEOF) {
				t.Errorf("%s: not said to be cut off, but %v: %s", c.operation, answer, whole[:n])
			}
		}
	}
}

// What answers are known by is there in each: an empty result has an empty list.
func TestAnAnswerWithoutItsMemberIsNone(t *testing.T) {
	for _, c := range calls {
		d, ok := answerOf(c.service, c.operation)
		if !ok || (d.root == "" && len(d.path) == 0) {
			t.Errorf("%s: nothing tells its answer", c.operation)
		}
		for _, name := range d.path {
			without := strings.NewReplacer("<"+name+"/>", "<Other/>", "<"+name+">", "<Other>", "</"+name+">", "</Other>", `"`+name+`"`, `"other"`).Replace(c.genuine)
			if without == c.genuine {
				t.Fatalf("%s: its answer has no %s", c.operation, name)
			}
			if answer := judge(c.service, c.operation, []byte(without)); answer == nil || !strings.Contains(answer.What, name) {
				t.Errorf("%s without %s: %v", c.operation, name, answer)
			}
		}
	}
}

// full is a list's content of one item that has all it must have, which holds
// what replaces its id.
func full(list []string, id string) string {
	item, has := list[0], list[1]
	if len(list) > 2 {
		id = full(list[2:], id)
	}
	return "<" + item + "><Other>x</Other><" + has + ">" + id + "</" + has + "></" + item + ">"
}

// A list with anything in it but its own items is none, and an item without what
// makes it one is none: the SDK would make an empty list of it.
func TestAListHoldsItsOwnItemsOnly(t *testing.T) {
	for operation, list := range lists {
		i := slices.IndexFunc(calls, func(c call) bool { return c.operation == operation })
		if i < 0 {
			t.Fatalf("no answer to %s is known", operation)
		}
		c, member := calls[i], members[operation]
		head, _, _ := strings.Cut(c.genuine, "<"+member)
		_, tail, ok := strings.Cut(c.genuine, "</"+member+">")
		if !ok {
			_, tail, _ = strings.Cut(c.genuine, "<"+member+"/>")
		}
		answer := func(content, beside string) *FalseAnswer {
			return judge(c.service, operation, []byte(head+"<"+member+">"+content+"</"+member+">"+beside+tail))
		}
		one := full(list, "x")
		for name, content := range map[string]string{"none": "", "one": one, "two, apart": one + "\n  <!-- next -->" + one} {
			if a := answer(content, ""); a != nil {
				t.Errorf("%s, %s: %v", operation, name, a)
			}
		}
		for name, c := range map[string]struct{ content, beside string }{
			"hollow item":         {content: "<" + list[0] + "/>"},
			"item without its":    {content: "<" + list[0] + "><Other>x</Other></" + list[0] + ">"},
			"empty id":            {content: full(list, "")},
			"blank id":            {content: full(list, " \n")},
			"element for an id":   {content: full(list, "<x/>")},
			"another name":        {content: "<member>" + one + "</member>"},
			"one of another name": {content: one + "<Other/>" + one},
			"text":                {content: "none"},
			"error inside":        {content: "<Error><Code>Throttled</Code></Error>"},
			"errors beside":       {beside: "<Errors><Error><Code>Throttled</Code></Error></Errors>"},
			"error beside":        {content: one, beside: "<Error/>"},
		} {
			if answer(c.content, c.beside) == nil {
				t.Errorf("%s, %s: taken for AWS's", operation, name)
			}
		}
		if a := judge(c.service, operation, []byte(c.genuine+"<html/>")); a == nil {
			t.Errorf("%s: taken for AWS's with a page behind it", operation)
		}
	}
}

// An answer that says no is AWS's where it can be: the SDK reads why.
func TestRefusalsOfAWSAreLeftToTheSDK(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		header string
		body   string
	}{
		"EC2":                {403, "", "<Response><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors></Response>"},
		"declared":           {400, "", `<?xml version="1.0"?><Error><Code>SlowDown</Code></Error>`},
		"JSON":               {403, "", `{"__type":"AccessDeniedException"}`},
		"silent, named":      {403, "X-Amz-Request-Id", ""},
		"text, named":        {400, "X-Amzn-Requestid", "Bad Request"},
		"an overloaded host": {503, "", ""},
	} {
		header := http.Header{}
		if c.header != "" {
			header.Set(c.header, "r")
		}
		cfg, _ := standIn(t, c.status, header, c.body)
		_, err := ec2.NewFromConfig(cfg).DescribeInstances(t.Context(), nil)
		var answer *FalseAnswer
		if err == nil || errors.As(err, &answer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An answer without a body is known by the headers that AWS puts on each.
func TestAnAnswerWithoutABodyNeedsAWSsHeaders(t *testing.T) {
	for header, genuine := range map[string]bool{"X-Amz-Request-Id": true, "X-Amz-Bucket-Region": true, "Content-Type": false} {
		cfg, _ := standIn(t, 200, http.Header{header: {"x"}}, "")
		_, err := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }).HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: id})
		var answer *FalseAnswer
		if (err == nil) != genuine || (err != nil && !errors.As(err, &answer)) {
			t.Errorf("with %s: %v", header, err)
		}
	}
}

// A call whose answer nobody described is refused, and each that is made is
// described above.
func TestEveryCallThatIsMadeIsChecked(t *testing.T) {
	cfg, _ := standIn(t, 200, nil, "<GetBucketPolicyResult/>")
	_, err := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }).GetBucketAcl(t.Context(), &s3.GetBucketAclInput{Bucket: id})
	if err == nil || !strings.Contains(err.Error(), "GetBucketAcl") {
		t.Errorf("an undescribed call: %v", err)
	}

	described := map[string]bool{}
	for _, c := range calls {
		described[c.operation] = true
	}
	input := regexp.MustCompile(`&(ec2|rds|s3|sts|iam|sso|ssooidc|signin)\.(\w+)Input\{`)
	found := 0
	err = filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			strings.Contains(path, "awstest") || strings.Contains(filepath.ToSlash(path), "cmd/demo") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range input.FindAllSubmatch(text, -1) {
			found++
			if operation := string(m[2]); !described[operation] {
				t.Errorf("%s calls %s, whose false answers no test tries", path, operation)
			}
		}
		return err
	})
	if err != nil || found < 15 {
		t.Errorf("%d calls found: %v", found, err)
	}
}
