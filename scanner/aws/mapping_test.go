package aws

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/kind"
)

var target = Target{AccountID: "123456789012", AccountName: "prod", Partition: "aws-cn", Region: "cn-north-1"}

func TestStopRulesOfDatabases(t *testing.T) {
	for name, c := range map[string]struct {
		i    rdstypes.DBInstance
		stop bool
	}{
		"plain":             {rdstypes.DBInstance{}, true},
		"Multi-AZ":          {rdstypes.DBInstance{MultiAZ: aws.Bool(true)}, true},
		"SQL Server":        {rdstypes.DBInstance{Engine: aws.String("sqlserver-se")}, true},
		"mirrored":          {rdstypes.DBInstance{Engine: aws.String("sqlserver-se"), MultiAZ: aws.Bool(true)}, false},
		"replica":           {rdstypes.DBInstance{ReadReplicaSourceDBInstanceIdentifier: aws.String("x")}, false},
		"cluster's replica": {rdstypes.DBInstance{ReadReplicaSourceDBClusterIdentifier: aws.String("x")}, false},
		"has replicas":      {rdstypes.DBInstance{ReadReplicaDBInstanceIdentifiers: []string{"x"}}, false},
		"has a cluster's":   {rdstypes.DBInstance{ReadReplicaDBClusterIdentifiers: []string{"x"}}, false},
		"member of cluster": {rdstypes.DBInstance{DBClusterIdentifier: aws.String("x")}, false},
		"being changed":     {rdstypes.DBInstance{DBInstanceStatus: aws.String("modifying")}, false},
	} {
		c.i.DBInstanceIdentifier = aws.String("db")
		if c.i.DBInstanceStatus == nil {
			c.i.DBInstanceStatus = aws.String("available")
		}
		r := dbInstance(target, c.i)
		if got := stoppable(&rdsInstance, r); got != c.stop {
			t.Errorf("%s: that it can be stopped is %t, want %t", name, got, c.stop)
		}
		if r.ARN != "arn:aws-cn:rds:cn-north-1:123456789012:db:db" {
			t.Errorf("without an ARN in the answer it is %s", r.ARN)
		}
	}
	for name, c := range map[string]struct {
		d    rdstypes.DBCluster
		stop bool
	}{
		"plain":      {rdstypes.DBCluster{}, true},
		"serverless": {rdstypes.DBCluster{EngineMode: aws.String("serverless")}, false},
		"global":     {rdstypes.DBCluster{GlobalClusterIdentifier: aws.String("g")}, false},
		"replica":    {rdstypes.DBCluster{ReplicationSourceIdentifier: aws.String("x")}, false},
		"replicated": {rdstypes.DBCluster{ReadReplicaIdentifiers: []string{"x"}}, false},
	} {
		c.d.Status = aws.String("available")
		if got := stoppable(&rdsCluster, dbCluster(target, c.d)); got != c.stop {
			t.Errorf("cluster %s: that it can be stopped is %t, want %t", name, got, c.stop)
		}
	}
}

// A state that EC2 has not is told as unknown, and nothing can be done by it.
func TestAStateThatEC2HasNotIsUnknown(t *testing.T) {
	for said, want := range map[string]string{"running": "running", "terminated": "terminated", "": "", "Running": "unknown", "ok": "unknown", "running stopped": "unknown"} {
		r := instance(target, ec2types.Instance{InstanceId: aws.String("i-1"), State: &ec2types.InstanceState{Name: ec2types.InstanceStateName(said)}})
		if r.State != want || stoppable(&ec2Instance, r) != (want == "running") {
			t.Errorf("%q is told as %q: %v", said, r.State, r.Constraints)
		}
	}
}

// stoppable says whether rules and states let a resource be stopped.
func stoppable(k *kind.Kind, r storage.Resource) bool {
	d, _ := Kinds().Action(k.Type, kind.Stop.Is)
	forbids := slices.ContainsFunc(d.Find(kind.Stop, r.View(), func(s string) string { return s }), func(f kind.Finding) bool { return f.Effect == kind.Forbids })
	return slices.Contains(d.From, r.State) && !forbids
}

// Whatever address leads to an instance, on whichever interface, finds it.
func TestEveryAddressOfAnInstanceFindsIt(t *testing.T) {
	r := instance(target, ec2types.Instance{
		PrivateIpAddress: aws.String("10.0.0.1"), PublicIpAddress: aws.String("203.0.113.1"), Ipv6Address: aws.String("2001:db8::1"),
		PrivateDnsName: aws.String("ip-10-0-0-1.internal"), PublicDnsName: aws.String("ec2-203-0-113-1.example.com"),
		NetworkInterfaces: []ec2types.InstanceNetworkInterface{
			{PrivateIpAddresses: []ec2types.InstancePrivateIpAddress{
				{PrivateIpAddress: aws.String("10.0.0.1"), Association: &ec2types.InstanceNetworkInterfaceAssociation{PublicIp: aws.String("203.0.113.1")}},
				{PrivateIpAddress: aws.String("10.0.0.2"), Association: &ec2types.InstanceNetworkInterfaceAssociation{PublicIp: aws.String("203.0.113.2")}},
			}},
			{
				PrivateIpAddresses: []ec2types.InstancePrivateIpAddress{
					{PrivateIpAddress: aws.String("10.0.1.1"), Association: &ec2types.InstanceNetworkInterfaceAssociation{PublicIp: aws.String("203.0.113.3")}},
					{PrivateIpAddress: aws.String("10.0.1.2")},
				},
				Ipv6Addresses: []ec2types.InstanceIpv6Address{{Ipv6Address: aws.String("2001:db8::2")}},
			},
		},
	})
	want := []string{
		"10.0.0.1", "10.0.0.2", "10.0.1.1", "10.0.1.2", "2001:db8::1", "2001:db8::2", "203.0.113.1", "203.0.113.2", "203.0.113.3",
		"ec2-203-0-113-1.example.com", "ip-10-0-0-1.internal",
	}
	got := slices.Sorted(slices.Values(r.Aliases))
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestStopRulesOfInstances(t *testing.T) {
	running := &ec2types.InstanceState{Name: ec2types.InstanceStateNameRunning}
	for name, c := range map[string]struct {
		i    ec2types.Instance
		stop bool
	}{
		"running":        {ec2types.Instance{State: running, RootDeviceType: ec2types.DeviceTypeEbs}, true},
		"instance store": {ec2types.Instance{State: running, RootDeviceType: ec2types.DeviceTypeInstanceStore}, false},
		"spot":           {ec2types.Instance{State: running, InstanceLifecycle: ec2types.InstanceLifecycleTypeSpot}, true},
		"stopped":        {ec2types.Instance{State: &ec2types.InstanceState{Name: ec2types.InstanceStateNameStopped}}, false},
		"without state":  {ec2types.Instance{}, false},
	} {
		if got := stoppable(&ec2Instance, instance(target, c.i)); got != c.stop {
			t.Errorf("%s: that it can be stopped is %t, want %t", name, got, c.stop)
		}
	}
}

func TestTheCreationTimeOfAnInstanceOutlivesAStart(t *testing.T) {
	created, started := time.Unix(1000, 0), time.Unix(2000, 0)
	r := instance(target, ec2types.Instance{
		LaunchTime: &started,
		NetworkInterfaces: []ec2types.InstanceNetworkInterface{
			{Attachment: &ec2types.InstanceNetworkInterfaceAttachment{DeviceIndex: aws.Int32(1), AttachTime: &started}},
			{Attachment: &ec2types.InstanceNetworkInterfaceAttachment{DeviceIndex: aws.Int32(0), AttachTime: &created}},
		},
	})
	if r.CreatedAt == nil || !r.CreatedAt.Equal(created) {
		t.Errorf("created at %v, want %v", r.CreatedAt, created)
	}
}

func TestOldSpellingsOfBucketRegions(t *testing.T) {
	for c, want := range map[s3types.BucketLocationConstraint]string{"": "us-east-1", "EU": "eu-west-1", "us-west-2": "us-west-2"} {
		if got := location(c); got != want {
			t.Errorf("%q is %s, want %s", c, got, want)
		}
	}
}

func TestPartitionsByRegion(t *testing.T) {
	for region, want := range map[string]string{"us-west-2": "aws", "cn-north-1": "aws-cn", "us-gov-east-1": "aws-us-gov", "us-iso-east-1": "aws-iso", "us-isob-east-1": "aws-iso-b"} {
		if got := kind.Partition(region); got != want {
			t.Errorf("%s is in %s, want %s", region, got, want)
		}
	}
}

// TestOnlyAllowListedTextIsKept plants a marker in every text of an answer and
// compares what is left with the reviewed list.
func TestOnlyAllowListedTextIsKept(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer any
		want   []string
	}{
		{"ec2_instance", &ec2types.Instance{}, []string{
			"Architecture", "Placement.AvailabilityZone", "Placement.Tenancy", "IamInstanceProfile.Arn", "ImageId", "InstanceId", "InstanceLifecycle",
			"InstanceType", "Ipv6Address", "KeyName", "PlatformDetails", "PrivateDnsName", "PrivateIpAddress", "PublicDnsName", "PublicIpAddress",
			"RootDeviceType", "SubnetId", "VpcId",
		}},
		{"rds_instance", &rdstypes.DBInstance{}, []string{
			"AvailabilityZone", "DBClusterIdentifier", "DBInstanceArn", "DBInstanceClass", "DBInstanceIdentifier", "DBInstanceStatus", "DBName",
			"DBSubnetGroup.DBSubnetGroupName", "DBSubnetGroup.VpcId", "DbiResourceId", "Endpoint.Address", "Engine", "EngineVersion",
			"PreferredBackupWindow", "PreferredMaintenanceWindow", "ReadReplicaSourceDBInstanceIdentifier", "StorageType",
		}},
		{"rds_cluster", &rdstypes.DBCluster{}, []string{
			"DBClusterArn", "DBClusterIdentifier", "DBClusterInstanceClass", "DBSubnetGroup", "DatabaseName", "DbClusterResourceId", "Endpoint",
			"Engine", "EngineMode", "EngineVersion", "GlobalClusterIdentifier", "ReaderEndpoint", "ReplicationSourceIdentifier", "Status",
		}},
	} {
		planted := map[string]bool{}
		plant(reflect.ValueOf(c.answer).Elem(), "", planted)
		var kept any
		switch a := c.answer.(type) {
		case *ec2types.Instance:
			kept = instance(target, *a)
		case *rdstypes.DBInstance:
			kept = dbInstance(target, *a)
		case *rdstypes.DBCluster:
			kept = dbCluster(target, *a)
		}
		text, err := json.Marshal(kept)
		if err != nil {
			t.Fatal(err)
		}
		allowed := map[string]bool{}
		for _, path := range c.want {
			allowed[path] = true
			if !strings.Contains(string(text), "<"+path+">") && !strings.Contains(string(text), `\u003c`+path+`\u003e`) {
				t.Errorf("%s: %s is lost", c.name, path)
			}
		}
		for path := range planted {
			if !allowed[path] && (strings.Contains(string(text), `\u003c`+path+`\u003e`)) {
				t.Errorf("%s: %s is kept and not on the list", c.name, path)
			}
		}
	}
}

// plant writes "<path>" into every text of a structure, through its structures.
func plant(v reflect.Value, path string, planted map[string]bool) {
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		if !f.CanSet() || name == "ResultMetadata" {
			continue
		}
		at := strings.TrimPrefix(path+"."+name, ".")
		switch {
		case f.Kind() == reflect.String:
			f.SetString("<" + at + ">")
			planted[at] = true
		case f.Kind() == reflect.Pointer && f.Type().Elem().Kind() == reflect.String:
			f.Set(reflect.ValueOf(aws.String("<" + at + ">")))
			planted[at] = true
		case f.Kind() == reflect.Pointer && f.Type().Elem().Kind() == reflect.Struct && f.Type().Elem() != reflect.TypeFor[time.Time]():
			f.Set(reflect.New(f.Type().Elem()))
			plant(f.Elem(), at, planted)
		}
	}
}
