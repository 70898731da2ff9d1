package catalog

import "sync"

const (
	instanceID = `i-(?:[0-9a-f]{8}|[0-9a-f]{17})`
	// A letter first, no hyphen last, no two hyphens in a row.
	rdsID = `[A-Za-z](?:-?[A-Za-z0-9])*`
)

var operations = sync.OnceValue(func() []Operation {
	var (
		instances = Parameter{Name: "instance-ids", Kind: List, Required: true, Pattern: instanceID,
			Max: 19, MaxItems: 50, Like: "i-0123456789abcdef0"}
		database = Parameter{Name: "db-instance-identifier", Kind: Scalar, Required: true, Pattern: rdsID,
			Fold: true, Max: 63, Like: "my-database"}
		cluster = Parameter{Name: "db-cluster-identifier", Kind: Scalar, Required: true, Pattern: rdsID,
			Fold: true, Max: 63, Like: "my-cluster"}
		optional = func(p Parameter) Parameter { p.Required = false; return p }
	)
	return []Operation{
		{
			Service: "ec2", Name: "start-instances", API: "StartInstances",
			Access: AccessWrite, Actions: []string{"ec2:StartInstances"},
			Target: "instance-ids", Parameters: []Parameter{instances},
			Items: "StartingInstances", Output: ec2StateChange,
		},
		{
			Service: "ec2", Name: "stop-instances", API: "StopInstances",
			Access: AccessWrite, Actions: []string{"ec2:StopInstances"},
			Target: "instance-ids", Parameters: []Parameter{instances,
				{Name: "force", Kind: Bool, Raises: "it skips the orderly shutdown when that takes too long (--force)"},
				{Name: "hibernate", Kind: Bool},
				{Name: "skip-os-shutdown", Kind: Bool, Raises: "it skips the orderly shutdown, which can lose data (--skip-os-shutdown)"},
			},
			Items: "StoppingInstances", Output: ec2StateChange,
		},
		{
			Service: "ec2", Name: "reboot-instances", API: "RebootInstances",
			Access: AccessWrite, Actions: []string{"ec2:RebootInstances"},
			Target: "instance-ids", Parameters: []Parameter{instances},
		},
		{
			Service: "ec2", Name: "describe-instances", API: "DescribeInstances",
			Access: AccessList, Reviewed: true, Actions: []string{"ec2:DescribeInstances"},
			Target: "instance-ids", Parameters: []Parameter{optional(instances)},
			Items: "Reservations", Output: ec2Instance,
		},
		{
			Service: "rds", Name: "start-db-instance", API: "StartDBInstance",
			Access: AccessWrite, Actions: []string{"rds:StartDBInstance"},
			Target: "db-instance-identifier", Parameters: []Parameter{database},
			Items: "DBInstance", Output: rdsInstance,
		},
		{
			Service: "rds", Name: "stop-db-instance", API: "StopDBInstance",
			Access: AccessWrite, Actions: []string{"rds:StopDBInstance"},
			Target: "db-instance-identifier", Parameters: []Parameter{database,
				{Name: "db-snapshot-identifier", Kind: Scalar, Pattern: rdsID, Fold: true, Max: 255,
					Like: "my-snapshot", Actions: []string{"rds:CreateDBSnapshot"}},
			},
			Items: "DBInstance", Output: rdsInstance,
		},
		{
			Service: "rds", Name: "reboot-db-instance", API: "RebootDBInstance",
			Access: AccessWrite, Actions: []string{"rds:RebootDBInstance"},
			Target: "db-instance-identifier", Parameters: []Parameter{database,
				{Name: "force-failover", Kind: Bool, Raises: "it moves the database to its standby (--force-failover)"},
			},
			Items: "DBInstance", Output: rdsInstance,
		},
		{
			Service: "rds", Name: "describe-db-instances", API: "DescribeDBInstances",
			Access: AccessList, Reviewed: true, Actions: []string{"rds:DescribeDBInstances"},
			Target: "db-instance-identifier", Parameters: []Parameter{optional(database)},
			Items: "DBInstances", Output: rdsInstance,
		},
		{
			Service: "rds", Name: "start-db-cluster", API: "StartDBCluster",
			Access: AccessWrite, Actions: []string{"rds:StartDBCluster"},
			Target: "db-cluster-identifier", Parameters: []Parameter{cluster},
			Items: "DBCluster", Output: rdsCluster,
		},
		{
			Service: "rds", Name: "stop-db-cluster", API: "StopDBCluster",
			Access: AccessWrite, Actions: []string{"rds:StopDBCluster"},
			Target: "db-cluster-identifier", Parameters: []Parameter{cluster},
			Items: "DBCluster", Output: rdsCluster,
		},
		{
			Service: "rds", Name: "reboot-db-cluster", API: "RebootDBCluster",
			Access: AccessWrite, Actions: []string{"rds:RebootDBCluster"},
			Target: "db-cluster-identifier", Parameters: []Parameter{cluster},
			Items: "DBCluster", Output: rdsCluster,
		},
		{
			Service: "rds", Name: "describe-db-clusters", API: "DescribeDBClusters",
			Access: AccessList, Reviewed: true, Actions: []string{"rds:DescribeDBClusters"},
			Target: "db-cluster-identifier", Parameters: []Parameter{optional(cluster)},
			Items: "DBClusters", Output: rdsCluster,
		},
	}
})

// The fields of results that are kept, below the operation's Items. None of
// them carries a password, a user name or user data.
var (
	ec2StateChange = []string{"InstanceId", "CurrentState.Name", "PreviousState.Name"}

	ec2Instance = prefixed("Instances",
		"InstanceId", "ImageId", "InstanceType", "InstanceLifecycle", "Architecture", "Platform", "PlatformDetails",
		"LaunchTime", "State.Name", "StateReason.Code", "StateReason.Message",
		"Placement.AvailabilityZone", "Placement.Tenancy", "Monitoring.State",
		"PrivateIpAddress", "PrivateDnsName", "PublicIpAddress", "PublicDnsName",
		"VpcId", "SubnetId", "SecurityGroups.GroupId", "SecurityGroups.GroupName",
		"IamInstanceProfile.Arn", "KeyName", "EbsOptimized", "RootDeviceName", "RootDeviceType",
		"BlockDeviceMappings.DeviceName", "BlockDeviceMappings.Ebs.VolumeId", "BlockDeviceMappings.Ebs.Status",
		"NetworkInterfaces.NetworkInterfaceId", "Tags.Key", "Tags.Value")

	rdsInstance = []string{
		"DBInstanceIdentifier", "DBInstanceArn", "DbiResourceId", "DBInstanceClass", "DBInstanceStatus",
		"Engine", "EngineVersion", "AvailabilityZone", "SecondaryAvailabilityZone", "MultiAZ", "InstanceCreateTime",
		"Endpoint.Address", "Endpoint.Port", "AllocatedStorage", "StorageType", "StorageEncrypted", "Iops",
		"BackupRetentionPeriod", "PreferredBackupWindow", "PreferredMaintenanceWindow", "LatestRestorableTime",
		"DBSubnetGroup.DBSubnetGroupName", "DBSubnetGroup.VpcId", "VpcSecurityGroups.VpcSecurityGroupId", "VpcSecurityGroups.Status",
		"DBParameterGroups.DBParameterGroupName", "DBParameterGroups.ParameterApplyStatus",
		"PubliclyAccessible", "DeletionProtection", "DBClusterIdentifier", "AutomaticRestartTime",
		"ReadReplicaSourceDBInstanceIdentifier", "ReadReplicaDBInstanceIdentifiers", "CACertificateIdentifier",
		"TagList.Key", "TagList.Value",
	}

	rdsCluster = []string{
		"DBClusterIdentifier", "DBClusterArn", "DbClusterResourceId", "Status", "Engine", "EngineVersion", "EngineMode",
		"AvailabilityZones", "MultiAZ", "ClusterCreateTime", "Endpoint", "ReaderEndpoint", "Port",
		"AllocatedStorage", "StorageType", "StorageEncrypted", "BackupRetentionPeriod", "PreferredBackupWindow",
		"PreferredMaintenanceWindow", "LatestRestorableTime", "DBSubnetGroup", "DBClusterParameterGroup",
		"VpcSecurityGroups.VpcSecurityGroupId", "VpcSecurityGroups.Status", "DeletionProtection", "AutomaticRestartTime",
		"DBClusterMembers.DBInstanceIdentifier", "DBClusterMembers.IsClusterWriter",
		"ReplicationSourceIdentifier", "ReadReplicaIdentifiers", "TagList.Key", "TagList.Value",
	}
)

func prefixed(prefix string, paths ...string) []string {
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = prefix + "." + p
	}
	return out
}
