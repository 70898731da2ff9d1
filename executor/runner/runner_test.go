package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/cloudops/cloudops/executor/catalog"
	services "github.com/cloudops/cloudops/scanner/aws"
)

func operation(t *testing.T, service, name string) *catalog.Operation {
	t.Helper()
	op, ok := catalog.Find(service, name)
	if !ok {
		t.Fatalf("no operation %s %s", service, name)
	}
	return op
}

// fake answers every call alike and counts.
func fake(t *testing.T, status int, body string) (aws.Config, *atomic.Int32) {
	t.Helper()
	calls := new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return config(s.URL), calls
}

func config(endpoint string) aws.Config {
	return aws.Config{
		Region: "us-west-2", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		APIOptions: []func(*middleware.Stack) error{services.Genuine},
	}
}

func rdsError(code string) string {
	return `<ErrorResponse><Error><Type>Sender</Type><Code>` + code + `</Code><Message>because of it</Message></Error><RequestId>r</RequestId></ErrorResponse>`
}

// What an error says about whether AWS acted decides what people do next.
func TestErrorsSayWhetherAWSActed(t *testing.T) {
	stop := operation(t, "rds", "stop-db-instance")
	params := map[string]any{"db-instance-identifier": "pg"}
	for name, c := range map[string]struct {
		status int
		body   string
		want   Kind
		code   string
	}{
		"denied":             {403, rdsError("AccessDenied"), Denied, "AccessDenied"},
		"denied exception":   {400, rdsError("AccessDeniedException"), Denied, "AccessDeniedException"},
		"denied unnamed":     {403, "<Response>no</Response>", Denied, ""},
		"expired":            {403, rdsError("ExpiredToken"), Credentials, "ExpiredToken"},
		"bad key":            {403, rdsError("InvalidClientTokenId"), Credentials, "InvalidClientTokenId"},
		"throttled":          {400, rdsError("Throttling"), Throttled, "Throttling"},
		"throttled with 503": {503, rdsError("RequestLimitExceeded"), Throttled, "RequestLimitExceeded"},
		"blocked account":    {400, rdsError("Blocked"), Denied, "Blocked"},
		"wrong clock":        {403, rdsError("RequestTimeTooSkewed"), Credentials, "RequestTimeTooSkewed"},
		"too many at once":   {400, rdsError("EC2ThrottledException"), Throttled, "EC2ThrottledException"},
		"region disabled":    {403, rdsError("RegionDisabledException"), Refused, "RegionDisabledException"},
		"wrong state":        {400, rdsError("InvalidDBInstanceState"), Refused, "InvalidDBInstanceState"},
		"not found":          {404, rdsError("DBInstanceNotFound"), Refused, "DBInstanceNotFound"},
		"internal error":     {500, rdsError("InternalFailure"), Ambiguous, "InternalFailure"},
		"unavailable":        {503, rdsError("ServiceUnavailable"), Ambiguous, "ServiceUnavailable"},
		"HTML error":         {500, "<html>oops</html>", Ambiguous, ""},
		"cut answer":         {200, "<StopDBInstanceResponse><StopDB", Ambiguous, ""},
		"dropped connection": {0, "", Ambiguous, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, calls := fake(t, c.status, c.body)
			_, err := Call(t.Context(), cfg, stop, params)
			var e *Error
			if !errors.As(err, &e) || e.Kind != c.want {
				t.Fatalf("%#v, want %s", err, c.want)
			}
			if c.code != "" && (e.Code != c.code || e.Message != "because of it") {
				t.Errorf("%q: %q", e.Code, e.Message)
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("a change was sent %d times", n)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		s := httptest.NewServer(http.NotFoundHandler())
		s.Close()
		_, err := Call(t.Context(), config(s.URL), stop, params)
		var e *Error
		if !errors.As(err, &e) || e.Kind != Unsent {
			t.Errorf("%v", err)
		}
	})
	t.Run("no answer in time", func(t *testing.T) {
		hold := make(chan struct{})
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-hold }))
		defer s.Close()
		defer close(hold)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := Call(ctx, config(s.URL), stop, params)
		var e *Error
		if !errors.As(err, &e) || e.Kind != Ambiguous {
			t.Errorf("%v", err)
		}
	})
	t.Run("unknown operation", func(t *testing.T) {
		cfg, calls := fake(t, 200, "")
		_, err := Call(t.Context(), cfg, &catalog.Operation{Service: "ec2", API: "TerminateInstances", Access: catalog.AccessWrite}, nil)
		var e *Error
		if !errors.As(err, &e) || e.Kind != Unsent || calls.Load() != 0 {
			t.Errorf("%v, %d calls", err, calls.Load())
		}
	})
}

func TestEncodedDenialsAreLeftOut(t *testing.T) {
	cfg, _ := fake(t, 403, `<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized. Encoded authorization failure message: ABCDEF123</Message></Error></Errors><RequestID>r</RequestID></Response>`)
	_, err := Call(t.Context(), cfg, operation(t, "ec2", "stop-instances"), map[string]any{"instance-ids": []string{"i-0123abcd"}})
	var e *Error
	if !errors.As(err, &e) || e.Kind != Denied || e.Message != "You are not authorized." {
		t.Errorf("%v", err)
	}
}

// Every kept path leads to a field of the SDK's result, to a value or a list of
// values, and none to what could be a secret.
func TestOutputPathsExist(t *testing.T) {
	results := map[string]any{
		"StartInstances": ec2.StartInstancesOutput{}, "StopInstances": ec2.StopInstancesOutput{}, "DescribeInstances": ec2.DescribeInstancesOutput{},
		"StartDBInstance": rds.StartDBInstanceOutput{}, "StopDBInstance": rds.StopDBInstanceOutput{}, "RebootDBInstance": rds.RebootDBInstanceOutput{},
		"DescribeDBInstances": rds.DescribeDBInstancesOutput{},
		"StartDBCluster":      rds.StartDBClusterOutput{}, "StopDBCluster": rds.StopDBClusterOutput{}, "RebootDBCluster": rds.RebootDBClusterOutput{},
		"DescribeDBClusters": rds.DescribeDBClustersOutput{},
	}
	for _, op := range catalog.All() {
		if op.Items == "" {
			continue
		}
		for _, p := range op.Output {
			typ := reflect.TypeOf(results[op.API])
			for _, name := range strings.Split(op.Items+"."+p, ".") {
				for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
					typ = typ.Elem()
				}
				f, ok := typ.FieldByName(name)
				if !ok {
					t.Errorf("%s: %s: %s has no field %s", op.Name, p, typ, name)
					break
				}
				typ = f.Type
			}
			for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
				typ = typ.Elem()
			}
			if typ.Kind() == reflect.Struct && typ != reflect.TypeFor[time.Time]() {
				t.Errorf("%s: %s ends at a structure", op.Name, p)
			}
			for _, word := range []string{"password", "secret", "userdata", "username", "token"} {
				if strings.Contains(strings.ToLower(p), word) {
					t.Errorf("%s keeps %s", op.Name, p)
				}
			}
		}
	}
}

func TestOutputIsCutDown(t *testing.T) {
	op := operation(t, "rds", "describe-db-instances")
	db := rdstypes.DBInstance{
		DBInstanceIdentifier: aws.String("pg"), MasterUsername: aws.String("planted-user"),
		PendingModifiedValues: &rdstypes.PendingModifiedValues{MasterUserPassword: aws.String("planted-password")},
		MasterUserSecret:      &rdstypes.MasterUserSecret{SecretArn: aws.String("planted-arn")},
		Endpoint:              &rdstypes.Endpoint{Address: aws.String("a.example"), Port: aws.Int32(5432), HostedZoneId: aws.String("zone")},
		TagList:               []rdstypes.Tag{{Key: aws.String("env"), Value: aws.String("dev")}},
		InstanceCreateTime:    aws.Time(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
	}
	got := output(op, []rdstypes.DBInstance{db}, false)
	if strings.Contains(got, "planted") || strings.Contains(got, "zone") || strings.Contains(got, "null") {
		t.Errorf("it keeps too much: %s", got)
	}
	var parsed struct{ DBInstances []map[string]any }
	if err := json.Unmarshal([]byte(got), &parsed); err != nil || len(parsed.DBInstances) != 1 {
		t.Fatalf("%v: %s", err, got)
	}
	for _, want := range []string{`"pg"`, `"a.example"`, `5432`, `"env"`, `2026-01-02T03:04:05Z`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}

	many := make([]rdstypes.DBInstance, 5000)
	for i := range many {
		many[i] = db
	}
	got = output(op, many, false)
	if len(got) > maxOutput || !strings.Contains(got, "Truncated") {
		t.Errorf("%d bytes", len(got))
	}
	if err := json.Unmarshal([]byte(got), &parsed); err != nil || len(parsed.DBInstances) == 0 {
		t.Errorf("a cut result is no JSON: %v", err)
	}
	if got := output(op, []rdstypes.DBInstance{}, false); !strings.Contains(got, `"DBInstances": []`) {
		t.Errorf("an empty list reads %q", got)
	}
	huge := db
	huge.Engine = aws.String(strings.Repeat("x", 2*maxOutput))
	if got := output(op, []rdstypes.DBInstance{huge}, false); len(got) > maxOutput {
		t.Errorf("one huge element is %d bytes", len(got))
	}
}

func TestDescribeReadsAllPages(t *testing.T) {
	page := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page++
		marker := fmt.Sprintf("<Marker>%d</Marker>", page)
		if page == 3 {
			marker = ""
		}
		_, _ = io.WriteString(w, `<DescribeDBInstancesResponse><DescribeDBInstancesResult>`+marker+
			`<DBInstances><DBInstance><DBInstanceIdentifier>p`+string(rune('0'+page))+`</DBInstanceIdentifier></DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>`)
	}))
	defer s.Close()
	got, err := Call(t.Context(), config(s.URL), operation(t, "rds", "describe-db-instances"), nil)
	if err != nil || !strings.Contains(got, "p1") || !strings.Contains(got, "p3") || strings.Contains(got, "Truncated") {
		t.Errorf("%v: %s", err, got)
	}
}

// A proxy's page, nothing, or another call's answer says nothing about what AWS
// did: the outcome is unknown, and the call is not made again.
func TestAFalseAnswerMakesTheOutcomeUnknown(t *testing.T) {
	for _, op := range catalog.All() {
		params := map[string]any{op.Target: "x"}
		if op.Service == "ec2" {
			params[op.Target] = []string{"i-0123abcd"}
		}
		for name, c := range map[string]struct {
			status int
			body   string
		}{
			"sign-in page":     {200, "<!doctype html><html><body>sign in</body></html>"},
			"empty":            {200, ""},
			"without a result": {200, "<" + op.API + "Response/>"},
			"another answer":   {200, "<ListQueuesResponse/>"},
			"JSON":             {200, "{}"},
			"cut":              {200, "<" + op.API + "Response><" + op.API + "Result>"},
			"to a login":       {302, ""},
			"refused by HTML":  {403, "<html>blocked</html>"},
		} {
			cfg, calls := fake(t, c.status, c.body)
			out, err := Call(t.Context(), cfg, op, params)
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Kind != Ambiguous || !strings.Contains(e.Message, "not AWS's") || out != "" {
				t.Errorf("%s, %s: %q, %v", op.Name, name, out, err)
			}
			if n := calls.Load(); op.Changes() && n != 1 {
				t.Errorf("%s, %s: sent %d times", op.Name, name, n)
			}
		}
	}
}

// An answer of AWS's form about another resource, about none, or about more than
// was asked leaves the outcome unknown, and is never shown as the target's.
func TestAnAnswerIsAboutTheTargets(t *testing.T) {
	for _, op := range catalog.All() {
		if op.Items == "" {
			continue // AWS says yes to a reboot of instances, and no more
		}
		item := func(id string) string { return "<instanceId>" + id + "</instanceId>" }
		list, params, own, other := "<instancesSet>%s</instancesSet>", map[string]any{op.Target: []string{"i-0123abcd"}}, "i-0123abcd", "i-0123abce"
		wrap := "<item>%s</item>"
		if op.API == "DescribeInstances" {
			list, wrap = "<reservationSet>%s</reservationSet>", "<item><instancesSet><item>%s</item></instancesSet></item>"
		}
		if op.Service == "rds" {
			what := strings.TrimSuffix(op.Items, "s")
			item = func(id string) string { return "<" + what + "Identifier>" + id + "</" + what + "Identifier>" }
			params, own, other = map[string]any{op.Target: "pg"}, "pg", "pg2"
			list, wrap = "<"+op.API+"Result><"+what+"s>%s</"+what+"s></"+op.API+"Result>", "<"+what+">%s</"+what+">"
			if op.Changes() {
				list = "<" + op.API + "Result>%s</" + op.API + "Result>"
			}
		}
		for name, c := range map[string]struct {
			items []string
			good  bool
		}{
			"of the target": {[]string{item(own)}, true},
			"of another":    {[]string{item(other)}, false},
			"hollow":        {[]string{""}, false},
			"of none":       {nil, false},
			"of both":       {[]string{item(own), item(other)}, false},
		} {
			body := ""
			for _, i := range c.items {
				body += fmt.Sprintf(wrap, i)
			}
			if name == "of both" && op.Service == "rds" && op.Changes() {
				continue // the answer has room for one
			}
			cfg, calls := fake(t, 200, "<"+op.API+"Response>"+fmt.Sprintf(list, body)+"</"+op.API+"Response>")
			out, err := Call(t.Context(), cfg, op, params)
			e, _ := errors.AsType[*Error](err)
			if (err == nil) != c.good || (!c.good && (e == nil || e.Kind != Ambiguous || out != "" || !strings.Contains(e.Message, "not AWS's"))) {
				t.Errorf("%s, %s: %q, %v", op.Name, name, out, err)
			}
			if n := calls.Load(); op.Changes() && n != 1 {
				t.Errorf("%s, %s: sent %d times", op.Name, name, n)
			}
		}
	}
}

func TestDescribeEndsWhenPagesLeadInACircle(t *testing.T) {
	cfg, calls := fake(t, 200, "<DescribeInstancesResponse><reservationSet/><nextToken>same</nextToken></DescribeInstancesResponse>")
	out, err := Call(t.Context(), cfg, operation(t, "ec2", "describe-instances"), nil)
	if !errors.Is(err, services.ErrEndless) || calls.Load() != 2 {
		t.Errorf("%q %v after %d calls", out, err, calls.Load())
	}
}

func TestBuildIsAHash(t *testing.T) {
	b, err := Build()
	if err != nil || len(b) != 64 {
		t.Errorf("%q, %v", b, err)
	}
}
