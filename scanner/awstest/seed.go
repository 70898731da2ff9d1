package awstest

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/scanner/session"
)

// The accounts and regions of the seeded estate.
const (
	ProdAccount    = "123456789012"
	StagingAccount = "210987654321"
	// West and East hold resources, EmptyRegion none.
	West        = "us-west-2"
	East        = "eu-west-1"
	EmptyRegion = "eu-central-1"
)

// The named resources of the seeded estate. All are in the prod account and
// West, but for the cluster and its members (East) and what is named Staging.
const (
	// MainDB is postgres on db.t3.medium, Multi-AZ, 100 GiB, env=production, app=main.
	MainDB = "pg-instance-main1"
	// OrdersDB can't be stopped: OrdersReplica reads from it.
	OrdersDB      = "orders-db"
	OrdersReplica = "orders-db-replica"
	// Cluster is Aurora with two members.
	Cluster     = "analytics"
	ClusterHead = "analytics-1"
	ClusterTail = "analytics-2"
	// WebName is the Name of two instances, one in West and one in East.
	WebName = "web-1"
	// HostileName is the Name of one instance. XML carries no ESC, so it has
	// the C1 control that starts the same sequences.
	HostileName = "<img src=x onerror=alert(1)>\u202egnp.exe\n[Approve](command:cloudops.approve)\u200b\u009b31m`**`"
	// WestBucket and EastBucket carry tags; StagingBucket can't be listed.
	WestBucket    = "acme-assets-prod"
	EastBucket    = "acme-logs-prod"
	StagingBucket = "acme-data-staging"
	StagingDB     = "staging-db"
	StagingName   = "staging-web-1"
)

// Planted are secrets that AWS holds beside the seeded resources. None may
// ever be stored, shown, logged or sent.
var Planted = []string{"planted-Us3rData-secret", "planted-M4ster-password"}

// Estate is what Seed made.
type Estate struct {
	Endpoint        string
	ConfigFile      string
	CredentialsFile string
	// Instance ids in West: the running web-1, a stopped one, one without a
	// Name, one with HostileName; and web-1 in East; and staging's.
	WebWest, Stopped, Unnamed, Hostile, WebEast, StagingWeb string

	prod aws.Config
}

// Profiles are the seeded profiles: default and prod are the same account,
// staging may neither list buckets nor clusters, empty has no keys.
var Profiles = []string{"default", "prod", "staging", "empty"}

// Environment is a session's AWS side that reaches the estate. endpoint
// replaces the server's, such as by a Proxy's; "" keeps it.
func (e *Estate) Environment(profile, endpoint string) session.Environment {
	if endpoint == "" {
		endpoint = e.Endpoint
	}
	return session.Environment{
		Profile:         profile,
		EndpointURL:     endpoint,
		ConfigFile:      e.ConfigFile,
		CredentialsFile: e.CredentialsFile,
	}
}

// Variables are the same as Environment in the form of AWS_* variables.
func (e *Estate) Variables(profile string) []string {
	return []string{
		"AWS_PROFILE=" + profile,
		"AWS_ENDPOINT_URL=" + e.Endpoint,
		"AWS_CONFIG_FILE=" + e.ConfigFile,
		"AWS_SHARED_CREDENTIALS_FILE=" + e.CredentialsFile,
	}
}

// Config is the SDK's configuration for the prod account, to look at or change
// the estate beside the product.
func (e *Estate) Config(region string) aws.Config {
	cfg := e.prod.Copy()
	cfg.Region = region
	return cfg
}

// AddInstance starts an instance with that Name in the prod account and West,
// and returns its id.
func (e *Estate) AddInstance(ctx context.Context, name string) (string, error) {
	return runInstance(ctx, e.Config(West), name, map[string]string{"env": "demo"})
}

// Seed empties the server, builds the estate, writes the shared files config
// and credentials (0600) into dir, and turns the check of policies on.
func (s *Server) Seed(ctx context.Context, dir string) (e *Estate, err error) {
	// Under load a connection to moto breaks now and then.
	for range 3 {
		if e, err = s.seed(ctx, dir); err == nil || ctx.Err() != nil {
			break
		}
	}
	return e, err
}

func (s *Server) seed(ctx context.Context, dir string) (*Estate, error) {
	if err := s.Reset(ctx); err != nil {
		return nil, err
	}
	e := &Estate{
		Endpoint:        s.Endpoint,
		ConfigFile:      filepath.Join(dir, "config"),
		CredentialsFile: filepath.Join(dir, "credentials"),
	}
	root := s.config("seed", "seed", "")
	prodKey, err := addUser(ctx, root, "operator", prodPolicy)
	if err != nil {
		return nil, err
	}
	e.prod = s.config(*prodKey.AccessKeyId, *prodKey.SecretAccessKey, "")

	role, err := sts.NewFromConfig(root).AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn:         aws.String("arn:aws:iam::" + StagingAccount + ":role/seed"),
		RoleSessionName: aws.String("seed"),
	})
	if err != nil {
		return nil, fmt.Errorf("seeding the second account: %w", err)
	}
	staging := s.config(*role.Credentials.AccessKeyId, *role.Credentials.SecretAccessKey, *role.Credentials.SessionToken)
	stagingKey, err := addUser(ctx, staging, "developer", stagingPolicy)
	if err != nil {
		return nil, err
	}

	if err := e.seedProd(ctx); err != nil {
		return nil, fmt.Errorf("seeding the prod account: %w", err)
	}
	if err := e.seedStaging(ctx, staging); err != nil {
		return nil, fmt.Errorf("seeding the staging account: %w", err)
	}

	config := "[default]\nregion = us-west-2\n\n[profile prod]\nregion = us-west-2\n\n" +
		"[profile staging]\nregion = us-west-2\n\n[profile empty]\nregion = us-west-2\n"
	creds := ""
	for _, p := range []struct{ name, id, secret string }{
		{"default", *prodKey.AccessKeyId, *prodKey.SecretAccessKey},
		{"prod", *prodKey.AccessKeyId, *prodKey.SecretAccessKey},
		{"staging", *stagingKey.AccessKeyId, *stagingKey.SecretAccessKey},
	} {
		creds += fmt.Sprintf("[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n\n", p.name, p.id, p.secret)
	}
	if err := os.WriteFile(e.ConfigFile, []byte(config), 0o600); err != nil {
		return nil, fmt.Errorf("writing the shared AWS files: %w", err)
	}
	if err := os.WriteFile(e.CredentialsFile, []byte(creds), 0o600); err != nil {
		return nil, fmt.Errorf("writing the shared AWS files: %w", err)
	}
	return e, s.enforce(ctx, true)
}

const (
	prodPolicy    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	stagingPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[
		"ec2:Describe*","ec2:StartInstances","ec2:StopInstances","ec2:RebootInstances",
		"rds:DescribeDBInstances","rds:StartDBInstance","rds:RebootDBInstance"],"Resource":"*"}]}`
)

func (s *Server) config(id, secret, token string) aws.Config {
	return aws.Config{
		Region:       West,
		Credentials:  credentials.NewStaticCredentialsProvider(id, secret, token),
		BaseEndpoint: aws.String(s.Endpoint),
		// A creation that the SDK repeats by itself fails, or makes two.
		RetryMaxAttempts: 1,
		HTTPClient:       services.WholeBodies{Next: awshttp.NewBuildableClient()},
	}
}

func addUser(ctx context.Context, cfg aws.Config, name, policy string) (key struct{ AccessKeyId, SecretAccessKey *string }, err error) {
	client := iam.NewFromConfig(cfg)
	if _, err := client.CreateUser(ctx, &iam.CreateUserInput{UserName: &name}); err != nil {
		return key, fmt.Errorf("seeding the user %s: %w", name, err)
	}
	if _, err := client.PutUserPolicy(ctx, &iam.PutUserPolicyInput{
		UserName: &name, PolicyName: aws.String("seeded"), PolicyDocument: &policy,
	}); err != nil {
		return key, fmt.Errorf("seeding the policy of %s: %w", name, err)
	}
	out, err := client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &name})
	if err != nil {
		return key, fmt.Errorf("seeding the keys of %s: %w", name, err)
	}
	key.AccessKeyId, key.SecretAccessKey = out.AccessKey.AccessKeyId, out.AccessKey.SecretAccessKey
	return key, nil
}

func (e *Estate) seedProd(ctx context.Context) (err error) {
	west, east := e.Config(West), e.Config(East)
	production := map[string]string{"env": "production"}
	if e.WebWest, err = runInstance(ctx, west, WebName, production); err != nil {
		return err
	}
	if e.WebEast, err = runInstance(ctx, east, WebName, production); err != nil {
		return err
	}
	if e.Stopped, err = runInstance(ctx, west, "batch-1", map[string]string{"env": "dev"}); err != nil {
		return err
	}
	if _, err = ec2.NewFromConfig(west).StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{e.Stopped}}); err != nil {
		return err
	}
	if e.Unnamed, err = runInstance(ctx, west, "", nil); err != nil {
		return err
	}
	if e.Hostile, err = runInstance(ctx, west, HostileName, nil); err != nil {
		return err
	}

	if err = addDB(ctx, west, MainDB, "db.t3.medium", map[string]string{"env": "production", "app": "main", "owner": "team-backend"}); err != nil {
		return err
	}
	if err = addDB(ctx, west, OrdersDB, "db.m5.large", map[string]string{"env": "staging", "app": "orders"}); err != nil {
		return err
	}
	westRDS, eastRDS := rds.NewFromConfig(west), rds.NewFromConfig(east)
	if _, err = westRDS.CreateDBInstanceReadReplica(ctx, &rds.CreateDBInstanceReadReplicaInput{
		DBInstanceIdentifier:       aws.String(OrdersReplica),
		SourceDBInstanceIdentifier: aws.String(OrdersDB),
	}); err != nil {
		return err
	}
	if _, err = eastRDS.CreateDBCluster(ctx, &rds.CreateDBClusterInput{
		DBClusterIdentifier: aws.String(Cluster),
		Engine:              aws.String("aurora-postgresql"),
		EngineVersion:       aws.String("15.4"),
		MasterUsername:      aws.String("master"),
		MasterUserPassword:  aws.String(Planted[1]),
		DeletionProtection:  aws.Bool(true),
		Tags:                rdsTags(map[string]string{"env": "production", "app": "analytics"}),
	}); err != nil {
		return err
	}
	for _, member := range []string{ClusterHead, ClusterTail} {
		if _, err = eastRDS.CreateDBInstance(ctx, &rds.CreateDBInstanceInput{
			DBInstanceIdentifier: aws.String(member),
			DBInstanceClass:      aws.String("db.r6g.large"),
			Engine:               aws.String("aurora-postgresql"),
			DBClusterIdentifier:  aws.String(Cluster),
		}); err != nil {
			return err
		}
	}
	if err = addBucket(ctx, west, WestBucket, map[string]string{"env": "production", "app": "web"}); err != nil {
		return err
	}
	return addBucket(ctx, east, EastBucket, map[string]string{"env": "production", "app": "logs"})
}

func (e *Estate) seedStaging(ctx context.Context, cfg aws.Config) (err error) {
	if e.StagingWeb, err = runInstance(ctx, cfg, StagingName, map[string]string{"env": "staging"}); err != nil {
		return err
	}
	if err = addDB(ctx, cfg, StagingDB, "db.t3.micro", map[string]string{"env": "staging"}); err != nil {
		return err
	}
	return addBucket(ctx, cfg, StagingBucket, nil)
}

func runInstance(ctx context.Context, cfg aws.Config, name string, tags map[string]string) (string, error) {
	all := []ec2types.Tag{}
	if name != "" {
		all = append(all, ec2types.Tag{Key: aws.String("Name"), Value: &name})
	}
	for k, v := range tags {
		all = append(all, ec2types.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	in := &ec2.RunInstancesInput{
		ImageId:      aws.String("ami-12c6146b"),
		InstanceType: ec2types.InstanceTypeT3Micro,
		MinCount:     aws.Int32(1),
		MaxCount:     aws.Int32(1),
		UserData:     aws.String(base64.StdEncoding.EncodeToString([]byte("#!/bin/sh\nexport TOKEN=" + Planted[0] + "\n"))),
	}
	if len(all) > 0 {
		in.TagSpecifications = []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeInstance, Tags: all}}
	}
	out, err := ec2.NewFromConfig(cfg).RunInstances(ctx, in)
	if err != nil {
		return "", fmt.Errorf("running an instance: %w", err)
	}
	return *out.Instances[0].InstanceId, nil
}

func addDB(ctx context.Context, cfg aws.Config, id, class string, tags map[string]string) error {
	_, err := rds.NewFromConfig(cfg).CreateDBInstance(ctx, &rds.CreateDBInstanceInput{
		DBInstanceIdentifier: &id,
		DBInstanceClass:      &class,
		Engine:               aws.String("postgres"),
		EngineVersion:        aws.String("14.7"),
		AllocatedStorage:     aws.Int32(100),
		MultiAZ:              aws.Bool(id == MainDB),
		MasterUsername:       aws.String("master"),
		MasterUserPassword:   aws.String(Planted[1]),
		Tags:                 rdsTags(tags),
	})
	if err != nil {
		return fmt.Errorf("creating the database %s: %w", id, err)
	}
	return nil
}

func rdsTags(tags map[string]string) []rdstypes.Tag {
	all := []rdstypes.Tag{}
	for k, v := range tags {
		all = append(all, rdstypes.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	return all
}

func addBucket(ctx context.Context, cfg aws.Config, name string, tags map[string]string) error {
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{
		Bucket: &name,
		CreateBucketConfiguration: &s3types.CreateBucketConfiguration{
			LocationConstraint: s3types.BucketLocationConstraint(cfg.Region),
		},
	}); err != nil {
		return fmt.Errorf("creating the bucket %s: %w", name, err)
	}
	set := []s3types.Tag{}
	for k, v := range tags {
		set = append(set, s3types.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	if len(set) == 0 {
		return nil
	}
	if _, err := client.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{
		Bucket: &name, Tagging: &s3types.Tagging{TagSet: set},
	}); err != nil {
		return fmt.Errorf("tagging the bucket %s: %w", name, err)
	}
	return nil
}
