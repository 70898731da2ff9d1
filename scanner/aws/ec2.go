package aws

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/kind"
)

// StateUnknown is the state of a resource of which AWS gives none that there is.
const StateUnknown = "unknown"

var ec2Instance = kind.Kind{
	Type: "ec2_instance", Service: "ec2", Label: kind.Regular("EC2 instance"),
	Words: []string{"server", "instance", "host", "node", "machine", "vm", "box", "ec2"},
	Reads: "ec2:DescribeInstances", ARN: "instance/",
	Forms: []kind.Form{kind.ID("i"), kind.Addresses, kind.Host(".internal"), kind.Host(".compute.amazonaws.com"),
		kind.Host(".compute.amazonaws.com.cn"), kind.Host(".compute-1.amazonaws.com")},
	IaC: []string{"aws_instance.id", "AWS::EC2::Instance"},
	Facts: []kind.Fact{
		{Name: "instance_type", Label: "type", Show: "{instance_type}", Bound: true, Embed: true},
		{Name: "availability_zone", Label: "zone", Show: "{availability_zone}"},
		{Name: "private_ip", Label: "private address", Show: "{private_ip}"},
		{Name: "public_ip", Label: "public address", Show: "{public_ip}", Asks: kind.Public, Always: true},
		{Name: "private_dns", Label: "private DNS name"},
		{Name: "public_dns", Label: "public DNS name"},
		{Name: "vpc_id", Label: "VPC"},
		{Name: "subnet_id", Label: "subnet"},
		{Name: "security_groups", Label: "security groups"},
		{Name: "volumes", Label: "volumes"},
		{Name: "image_id", Label: "image"},
		{Name: "key_name", Label: "key pair"},
		{Name: "instance_profile", Label: "instance profile"},
		{Name: "architecture", Label: "architecture", Embed: true},
		{Name: "platform", Label: "platform", Embed: true},
		{Name: "root_device_type", Label: "root device", Bound: true},
		{Name: "lifecycle", Label: "lifecycle", Bound: true, Asks: kind.Spot, Yes: []string{"spot"}, Always: true},
		{Name: "tenancy", Label: "tenancy"},
		{Name: "launched_at", Label: "last started"},
		{Name: "stop_protection", Label: "protected from being stopped", Bound: true},
		{Name: "termination_protection", Label: "protected from termination", Bound: true, Asks: kind.Protected},
	},
	States: []kind.State{
		{Name: "running", Phase: kind.Up, Words: []string{"active"}}, {Name: "stopped", Phase: kind.Down},
		{Name: "pending", Phase: kind.Moving, Words: []string{"starting", "creating"}}, {Name: "stopping", Phase: kind.Moving},
		{Name: "shutting-down", Phase: kind.Gone, Words: []string{"deleting"}}, {Name: "terminated", Phase: kind.Gone},
	},
	Edges: []kind.Edge{
		{Fact: "vpc_id", Is: "in", To: "ec2_vpc"}, {Fact: "subnet_id", Is: "in", To: "ec2_subnet"},
		{Fact: "security_groups", Is: "behind", To: "ec2_security_group"}, {Fact: "volumes", Is: "uses", To: "ec2_volume"},
		{Fact: "image_id", Is: "made from", To: "ec2_image"}, {Fact: "key_name", Is: "uses", To: "ec2_key_pair"},
	},
	Actions: []kind.Action{
		{
			Verb: kind.Start, Operation: "start-instances", Undo: kind.Stop,
			Effect: "The instance boots and is billed while it runs; a public address that is not elastic will be a new one.",
			From:   []string{"stopped"}, Already: []string{"running", "pending"},
			Done: []string{"running"}, Failed: []string{"shutting-down", "terminated"},
		},
		{
			Verb: kind.Stop, Operation: "stop-instances", Undo: kind.Start,
			Effect: "The instance shuts down: what runs on it ends, data on instance store volumes and a public address that is not elastic are lost; its volumes are still billed.",
			From:   []string{"running"}, Already: []string{"stopped", "stopping"},
			Done: []string{"stopped"}, Failed: []string{"shutting-down", "terminated"},
		},
		{
			Verb: kind.Reboot, Operation: "reboot-instances",
			Effect: "The operating system restarts: what runs on the instance is away for some minutes; addresses and volumes stay.",
			From:   []string{"running"},
		},
		{Verb: kind.Describe, Operation: "describe-instances", Effect: "Nothing changes; it reads what AWS knows of the instances."},
	},
	Rules: []kind.Rule{
		{Verbs: []*kind.Verb{kind.Stop}, When: []kind.Condition{kind.If("stop_protection", "true")}, Effect: kind.Forbids,
			Why: "it is protected from being stopped; switch its stop protection off first"},
		{Verbs: []*kind.Verb{kind.Stop}, When: []kind.Condition{kind.If("stop_protection", "unknown")}, Effect: kind.Notes,
			Why: "whether it is protected from being stopped could not be read"},
		{Verbs: []*kind.Verb{kind.Stop}, When: []kind.Condition{kind.If("root_device_type", "instance-store")}, Effect: kind.Forbids,
			Why: "its root device is an instance store"},
		// The kind of its request decides, and no list tells that.
		{Verbs: []*kind.Verb{kind.Stop}, When: []kind.Condition{kind.If("lifecycle", "spot")}, Effect: kind.Doubts,
			Why: "it is a spot instance, which can be stopped only where its request is persistent"},
		{Disrupts: true, When: []kind.Condition{kind.If("lifecycle", "spot")}, Effect: kind.Raises,
			Why: "it is a spot instance, which may not come back"},
		{Disrupts: true, When: []kind.Condition{kind.If("root_device_type", "instance-store")}, Effect: kind.Raises,
			Why: "its root device is an instance store"},
	},
	Gone: []string{"InvalidInstanceID.NotFound"},
}

func listInstances(ctx context.Context, cfg aws.Config, t Target, s Sink) error {
	pages := ec2.NewDescribeInstancesPaginator(ec2.NewFromConfig(cfg), &ec2.DescribeInstancesInput{MaxResults: aws.Int32(1000)})
	return list(ctx, "EC2 instances", pages, func(page *ec2.DescribeInstancesOutput) *string { return page.NextToken }, func(page *ec2.DescribeInstancesOutput) error {
		found := []storage.Resource{}
		for _, reservation := range page.Reservations {
			for _, i := range reservation.Instances {
				found = append(found, instance(t, i))
			}
		}
		return s.Emit(ctx, found)
	})
}

func describeInstance(ctx context.Context, cfg aws.Config, t Target, id string) (storage.Resource, error) {
	out, err := ec2.NewFromConfig(cfg).DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
	if err != nil {
		return storage.Resource{}, fmt.Errorf("describing an EC2 instance: %w", err)
	}
	found := []storage.Resource{}
	for _, reservation := range out.Reservations {
		for _, i := range reservation.Instances {
			found = append(found, instance(t, i))
		}
	}
	r, err := only(found, id)
	if err != nil {
		return r, fmt.Errorf("describing an EC2 instance: %w", err)
	}
	return r, nil
}

// protection reads what keeps an instance that is at rest from being stopped or
// terminated, which no list tells. What may not be read is "unknown".
func protection(ctx context.Context, cfg aws.Config, r storage.Resource) {
	if r.State != string(types.InstanceStateNameRunning) && r.State != string(types.InstanceStateNameStopped) {
		return
	}
	read := func(a types.InstanceAttributeName) any {
		out, err := ec2.NewFromConfig(cfg).DescribeInstanceAttribute(ctx, &ec2.DescribeInstanceAttributeInput{InstanceId: &r.ID, Attribute: a})
		switch {
		case err != nil:
		case a == types.InstanceAttributeNameDisableApiStop && out.DisableApiStop != nil && out.DisableApiStop.Value != nil:
			return *out.DisableApiStop.Value
		case a == types.InstanceAttributeNameDisableApiTermination && out.DisableApiTermination != nil && out.DisableApiTermination.Value != nil:
			return *out.DisableApiTermination.Value
		}
		return kind.Unread
	}
	c := facts(r.Constraints)
	c["stop_protection"] = read(types.InstanceAttributeNameDisableApiStop)
	c["termination_protection"] = read(types.InstanceAttributeNameDisableApiTermination)
}

// instance keeps what is allow-listed of an EC2 instance.
func instance(t Target, i types.Instance) storage.Resource {
	id := aws.ToString(i.InstanceId)
	r := t.resource(&ec2Instance, id)
	r.ARN = t.arn("ec2", "instance/"+id)
	r.ImmutableID = id
	r.Tags = map[string]string{}
	for _, tag := range i.Tags {
		r.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	r.Name = r.Tags["Name"]
	if i.State != nil {
		r.State = string(i.State.Name)
		// EC2's states are these few; whatever else stands there says nothing.
		if r.State != "" && !slices.Contains(i.State.Name.Values(), i.State.Name) {
			r.State = StateUnknown
		}
	}
	r.CreatedAt = moment(firstAttached(i))

	m := facts(r.Metadata)
	m.text("instance_type", aws.String(string(i.InstanceType)))
	m.text("vpc_id", i.VpcId)
	m.text("subnet_id", i.SubnetId)
	m.text("private_ip", i.PrivateIpAddress)
	m.text("public_ip", i.PublicIpAddress)
	m.text("private_dns", i.PrivateDnsName)
	m.text("public_dns", i.PublicDnsName)
	m.text("image_id", i.ImageId)
	m.text("key_name", i.KeyName)
	m.text("architecture", aws.String(string(i.Architecture)))
	m.text("platform", i.PlatformDetails)
	m.text("root_device_type", aws.String(string(i.RootDeviceType)))
	m.text("lifecycle", aws.String(string(i.InstanceLifecycle)))
	if i.Placement != nil {
		m.text("availability_zone", i.Placement.AvailabilityZone)
		m.text("tenancy", aws.String(string(i.Placement.Tenancy)))
	}
	if i.IamInstanceProfile != nil {
		m.text("instance_profile", i.IamInstanceProfile.Arn)
	}
	groups, volumes := []string{}, []string{}
	for _, g := range i.SecurityGroups {
		groups = append(groups, aws.ToString(g.GroupId))
	}
	for _, d := range i.BlockDeviceMappings {
		if d.Ebs != nil {
			volumes = append(volumes, aws.ToString(d.Ebs.VolumeId))
		}
	}
	m.list("security_groups", distinct(groups...))
	m.list("volumes", distinct(volumes...))
	if i.LaunchTime != nil {
		m["launched_at"] = moment(i.LaunchTime)
	}

	r.Aliases = addresses(i)
	summarise(&ec2Instance, &r)
	return r
}

// firstAttached is when the instance was made: LaunchTime moves with every
// start, the attachment of the primary interface does not.
func firstAttached(i types.Instance) *time.Time {
	for _, n := range i.NetworkInterfaces {
		if n.Attachment != nil && aws.ToInt32(n.Attachment.DeviceIndex) == 0 && n.Attachment.AttachTime != nil {
			return n.Attachment.AttachTime
		}
	}
	for _, d := range i.BlockDeviceMappings {
		if d.Ebs != nil && aws.ToString(d.DeviceName) == aws.ToString(i.RootDeviceName) {
			return d.Ebs.AttachTime
		}
	}
	return nil
}

func addresses(i types.Instance) []string {
	all := []string{
		aws.ToString(i.PrivateIpAddress), aws.ToString(i.PublicIpAddress),
		aws.ToString(i.PrivateDnsName), aws.ToString(i.PublicDnsName), aws.ToString(i.Ipv6Address),
	}
	for _, n := range i.NetworkInterfaces {
		for _, p := range n.PrivateIpAddresses {
			all = append(all, aws.ToString(p.PrivateIpAddress))
			if p.Association != nil {
				all = append(all, aws.ToString(p.Association.PublicIp))
			}
		}
		for _, p := range n.Ipv6Addresses {
			all = append(all, aws.ToString(p.Ipv6Address))
		}
	}
	return distinct(all...)
}
