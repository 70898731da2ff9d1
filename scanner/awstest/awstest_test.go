package awstest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/cloudops/cloudops/scanner/awstest"
)

func TestMain(m *testing.M) { os.Exit(awstest.Main(m)) }

func TestSeedAndProxy(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir := t.TempDir()
	s := awstest.Shared(t)
	begin := time.Now()
	e, err := s.Seed(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("seeded in %v", time.Since(begin))
	for _, f := range []string{e.ConfigFile, e.CredentialsFile} {
		info, err := os.Stat(f)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v, want mode 0600", f, info, err)
		}
	}

	p, err := awstest.NewProxy(s.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	cfg := e.Config(awstest.West)
	cfg.BaseEndpoint = aws.String(p.URL)
	cfg.RetryMaxAttempts = 1
	db, err := rds.NewFromConfig(cfg).DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: aws.String(awstest.MainDB)})
	if err != nil {
		t.Fatal(err)
	}
	main := db.DBInstances[0]
	if got := fmt.Sprintln(*main.Engine, *main.DBInstanceClass, *main.MultiAZ, *main.AllocatedStorage); got != "postgres db.t3.medium true 100\n" {
		t.Errorf("the main database is %s", got)
	}
	if n := len(p.Calls("rds", "DescribeDBInstances", awstest.West)); n != 1 {
		t.Errorf("the proxy counted %d calls, want 1", n)
	}

	client := ec2.NewFromConfig(cfg)
	for _, c := range []struct {
		kind awstest.Kind
		code string
	}{{awstest.Deny, "UnauthorizedOperation"}, {awstest.Throttle, "RequestLimitExceeded"}, {awstest.Fail, "InternalError"}} {
		p.Heal()
		p.Spoil(awstest.Fault{Service: "ec2", Operation: "DescribeRegions", Kind: c.kind, Times: 1})
		_, err = client.DescribeRegions(ctx, &ec2.DescribeRegionsInput{})
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != c.code {
			t.Errorf("spoiled with %v: %v, want %s", c.kind, err, c.code)
		}
		if _, err = client.DescribeRegions(ctx, &ec2.DescribeRegionsInput{}); err != nil {
			t.Errorf("after the fault was spent: %v", err)
		}
	}

	p.Heal()
	p.Spoil(awstest.Fault{Service: "ec2", Kind: awstest.Cut})
	if _, err = client.DescribeRegions(ctx, &ec2.DescribeRegionsInput{}); err == nil {
		t.Error("a cut answer was read as whole")
	}

	staging, err := config.LoadSharedConfigProfile(ctx, "staging", func(o *config.LoadSharedConfigOptions) {
		o.ConfigFiles, o.CredentialsFiles = []string{e.ConfigFile}, []string{e.CredentialsFile}
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg = e.Config(awstest.West)
	cfg.Credentials = credentials.StaticCredentialsProvider{Value: staging.Credentials}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil || *who.Account != awstest.StagingAccount {
		t.Errorf("staging's keys belong to %v: %v", who, err)
	}
	if _, err = rds.NewFromConfig(cfg).DescribeDBClusters(ctx, &rds.DescribeDBClustersInput{}); !denied(err) {
		t.Errorf("listing clusters with staging's keys: %v, want a denial", err)
	}
	if _, err = s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }).ListBuckets(ctx, &s3.ListBucketsInput{}); !denied(err) {
		t.Errorf("listing buckets with staging's keys: %v, want a denial", err)
	}
	out, err := ec2.NewFromConfig(cfg).DescribeInstances(ctx, &ec2.DescribeInstancesInput{})
	if err != nil || len(out.Reservations) != 1 {
		t.Errorf("listing instances with staging's keys: %v %v", out, err)
	}

	id, err := e.AddInstance(ctx, "added")
	if err != nil || id == "" {
		t.Errorf("adding an instance: %q %v", id, err)
	}
}

// denied goes by the status: moto's body for RDS is in a form that the SDK can't read.
func denied(err error) bool {
	var resp *smithyhttp.ResponseError
	return errors.As(err, &resp) && resp.HTTPStatusCode() == http.StatusForbidden
}
