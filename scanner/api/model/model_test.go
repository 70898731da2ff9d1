package model

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// All services load, and have what a count over botocore's own files finds.
func TestEverything(t *testing.T) {
	protocols := map[Protocol]int{}
	count := map[string]int{}
	for _, e := range Services() {
		s, err := Load(e.Name)
		if err != nil {
			t.Fatalf("%s: %v", e.Name, err)
		}
		count["services"]++
		count["waiters"] += len(s.Waiters)
		if s.Command != e.Command || s.ID != e.ID {
			t.Errorf("the index has %q %q of %s, its model %q %q", e.Command, e.ID, e.Name, s.Command, s.ID)
		}
		if len(s.Rules) == 0 {
			t.Errorf("%s has no endpoint rules", s.Name)
		}
		names := e.Operations()
		if len(names) != len(s.Operations) {
			t.Fatalf("%s: %d operations in the index, %d in the model", e.Name, len(names), len(s.Operations))
		}
		for i, o := range s.Operations {
			if n := names[i]; n.Name != o.Name || n.CLI != o.CLI || n.Access != o.Access() {
				t.Errorf("%s: the index has %+v for %s %s %s", e.Name, n, o.Name, o.CLI, o.Access())
			}
			protocols[s.Protocol]++
			count["operations"]++
			if o.Access() == Unknown {
				count["unknown access"]++
			}
			if o.HostPrefix != "" {
				count["host prefixes"]++
			}
			if o.Pages != nil {
				count["paginators"]++
			}
			if n := len([]rune(o.Doc)); n > 160 {
				t.Errorf("%s %s is documented with %d characters", e.Name, o.Name, n)
			} else if n > 0 {
				count["documented"]++
			}
			if o.Input != nil {
				for _, m := range o.Input.Members {
					if m.IdempotencyToken {
						count["idempotency tokens"]++
						break
					}
				}
				if m, ok := o.Input.Member(o.Input.Payload); ok && m.Shape.EventStream {
					count["event streams in"]++
				}
			}
			if o.Output != nil && slices.ContainsFunc(o.Output.Members, func(m *Member) bool { return m.Shape.EventStream }) {
				count["event streams out"]++
			}
		}
		for name, shape := range s.Shapes {
			if shape.Name != name {
				t.Errorf("%s: %s calls itself %s", e.Name, name, shape.Name)
			}
			for _, m := range append(slices.Clone(shape.Members), shape.Element, shape.Key, shape.Value) {
				if m != nil && s.Shapes[m.Shape.Name] != m.Shape {
					t.Fatalf("%s: %s refers to a %s that is none of the service", e.Name, name, m.Shape.Name)
				}
			}
		}
	}
	want := map[Protocol]int{JSON: 7194, RestJSON: 10258, RestXML: 463, CBOR: 130, Query: 1152, EC2: 830}
	if !maps.Equal(protocols, want) {
		t.Errorf("operations by protocol: %v, want %v", protocols, want)
	}
	for what, want := range map[string]int{
		"services": 445, "operations": 20027, "waiters": 415, "paginators": 3507, "host prefixes": 718,
		"idempotency tokens": 1530, "event streams in": 5, "event streams out": 26, "documented": 20016,
		"unknown access": 900,
	} {
		if count[what] != want {
			t.Errorf("%s: %d, want %d", what, count[what], want)
		}
	}
}

// operation loads one.
func operation(t *testing.T, service, name string) *Operation {
	t.Helper()
	s, err := Load(service)
	if err != nil {
		t.Fatal(err)
	}
	o, ok := s.Operation(name)
	if !ok {
		t.Fatalf("%s has no %s", service, name)
	}
	return o
}

// Documentation is left out as a trait, and no member that bears such a name.
func TestMembersNamedAsTraits(t *testing.T) {
	s, err := Load("launch-wizard")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, shape := range s.Shapes {
		if _, ok := shape.Member("documentationUrl"); ok {
			found++
		}
	}
	if found != 2 {
		t.Errorf("%d shapes have a documentationUrl, want 2", found)
	}
}

func TestTraits(t *testing.T) {
	ec2, err := Load("ec2")
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := ec2.Shapes["InstanceNetworkInterfaceSpecification"].Member("Ipv6Addresses"); m.QueryName != "Ipv6Addresses" {
		t.Errorf("ec2 reads Ipv6Addresses from %q", m.QueryName)
	}
	get := operation(t, "s3", "get-object")
	if m, _ := get.Output.Member(get.Output.Payload); m == nil || m.Name != "Body" || !(m.Streaming || m.Shape.Streaming) {
		t.Errorf("the body of s3 GetObject: %+v", m)
	}
	if key, _ := get.Input.Member("Key"); !key.Required || key.Location != "uri" || get.Method != "GET" {
		t.Errorf("the key of s3 GetObject: %+v", key)
	}
	if get.IAM.Action != "s3:GetObject" || get.IAM.Access != Read || !slices.Contains(get.IAM.Resources, "object") {
		t.Errorf("s3 GetObject needs %+v", get.IAM)
	}
	if bucket, _ := get.Input.Member("Bucket"); bucket.ContextParam != "Bucket" {
		t.Errorf("the bucket of s3 GetObject tells the endpoint rules %q", bucket.ContextParam)
	}
	list := operation(t, "s3", "ListObjectsV2")
	if list.IAM.Action != "s3:ListBucket" || list.Pages == nil || !slices.Equal(list.Pages.Result, []string{"Contents", "CommonPrefixes"}) {
		t.Errorf("s3 ListObjectsV2: %+v, %+v", list.IAM, list.Pages)
	}
	if copied := operation(t, "s3", "CopyObject").IAM; copied.Action != "s3:PutObject" || !slices.Contains(copied.Dependent, "s3:GetObject") {
		t.Errorf("s3 CopyObject needs %+v", copied)
	}
	stop := operation(t, "rds", "StopDBInstance")
	if stop.Access() != Write || stop.Wrapper != "StopDBInstanceResult" || stop.Argument("DBInstanceIdentifier") != "db-instance-identifier" {
		t.Errorf("rds StopDBInstance: %+v", stop)
	}
	if code := stop.Errors[0].Error; code == nil || code.Code == "" {
		t.Errorf("an error of rds StopDBInstance has no code: %+v", stop.Errors[0])
	}
	// The CLI's own --version has that name.
	if got := operation(t, "eks", "UpdateClusterVersion").Argument("version"); got != "kubernetes-version" {
		t.Errorf("the version of a cluster is --%s", got)
	}
	if got := operation(t, "ec2", "DescribeInstances").Argument("NextToken"); got != "next-token" {
		t.Errorf("the next page of instances is --%s", got)
	}
	if got := operation(t, "kinesis", "SubscribeToShard").CLI; got != "" {
		t.Errorf("the CLI has no SubscribeToShard, yet it is %s", got)
	}
	if p, err := Partitions(); err != nil || !strings.Contains(string(p), `"aws-cn"`) {
		t.Errorf("partitions: %v", err)
	}
}

func TestSpelling(t *testing.T) {
	for name, want := range map[string]string{
		"DescribeInstances": "describe-instances", "DBInstanceIdentifier": "db-instance-identifier",
		"ListObjectsV2": "list-objects-v2", "SubnetIds": "subnet-ids", "GetObjectACLs": "get-object-acls", "ACLs": "-acls",
		"tags": "tags", "clientToken": "client-token", "x-y": "x-y", "EBSOptimized": "ebs-optimized", "CidrIPv6": "cidr-i-pv6",
		"aBs": "a-bs", "EnableIPv4s": "enable-i-pv4s", "S3Bucket": "s3-bucket", "X": "x", "": "",
	} {
		if got := spelling(name, ""); got != want {
			t.Errorf("%s is spelt %s, want %s", name, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"s3api", "s3", "S3"} {
		if e, ok := FindService(name); !ok || e.Name != "s3" {
			t.Errorf("%s is %v", name, e)
		}
	}
	for name, want := range map[string]string{"deploy": "codedeploy", "configservice": "config", "Secrets Manager": "secretsmanager"} {
		if e, ok := FindService(name); !ok || e.Name != want {
			t.Errorf("%s is %v", name, e)
		}
	}
	for _, name := range []string{"stop-db-instance", "StopDBInstance"} {
		if _, o, ok := Find("rds", name); !ok || o.Name != "StopDBInstance" || o.CLI != "stop-db-instance" || o.Access != Write {
			t.Errorf("%s is %+v", name, o)
		}
	}
	for _, none := range [][2]string{{"rds", ""}, {"", "stop-db-instance"}, {"rds", "stop-db-instances"}, {"../index", "x"}} {
		if _, _, ok := Find(none[0], none[1]); ok {
			t.Errorf("%q is found", none)
		}
	}
	e, _ := FindService("ec2")
	if near := e.Nearest("describe-instnaces"); len(near) == 0 || near[0] != "describe-instances" {
		t.Errorf("near describe-instnaces: %q", near)
	}
	if near := e.Nearest("DescribeInstance"); len(near) == 0 || near[0] != "DescribeInstances" {
		t.Errorf("near DescribeInstance: %q", near)
	}
	if near := NearestServices("lamda"); len(near) == 0 || near[0] != "lambda" {
		t.Errorf("near lamda: %q", near)
	}
	if _, err := Load("lamda"); err == nil {
		t.Error("lamda is loaded")
	}
}

// Whoever asks at once gets the same model, and what is kept stays in bounds.
func TestManyAtOnce(t *testing.T) {
	names := []string{"sts", "s3", "ec2", "rds", "lambda", "iam", "sqs", "quicksight", "sagemaker", "dynamodb"}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range names {
				name := names[(i+j)%len(names)]
				s, err := Load(name)
				if err != nil || s.Name != name {
					t.Errorf("%s: %v", name, err)
					return
				}
				for _, o := range s.Operations {
					if found, ok := s.Operation(o.CLI); o.CLI != "" && (!ok || found.CLI != o.CLI) {
						t.Errorf("%s has no %s", name, o.CLI)
					}
				}
				if e, ok := FindService(name); !ok || len(e.Operations()) != len(s.Operations) {
					t.Errorf("the index of %s has other operations", name)
				}
			}
		})
	}
	all.Wait()
	kept.Lock()
	sum := 0
	for _, s := range kept.services {
		sum += s.size
	}
	if sum > room && len(kept.services) > 1 {
		t.Errorf("%d bytes are kept, more than %d", sum, room)
	}
	kept.Unlock()
	first, _ := Load("sts")
	second, _ := Load("sts")
	if first != second {
		t.Error("sts was loaded twice")
	}
}

// All that is embedded stays small.
func TestSize(t *testing.T) {
	sum := int64(0)
	err := fs.WalkDir(data, ".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		sum += info.Size()
		return err
	})
	if err != nil || sum > 4<<20 {
		t.Errorf("%d bytes are embedded, more than 4 MB: %v", sum, err)
	}
}

func BenchmarkIndex(b *testing.B) {
	for b.Loop() {
		x, err := readIndex()
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range x.services {
			e.operations()
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, name := range []string{"sts", "lambda", "iam", "rds", "s3", "quicksight", "sagemaker", "ec2"} {
		packed, err := data.ReadFile("data/services/" + name + ".zst")
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := read(packed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
