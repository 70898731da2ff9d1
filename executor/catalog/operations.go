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
	var (
		ec2Broken = []string{"shutting-down", "terminated"}
		rdsBroken = []string{"deleting", "failed", "inaccessible-encryption-credentials",
			"incompatible-network", "incompatible-restore", "insufficient-capacity"}
		rdsStopped = []string{"stopped", "inaccessible-encryption-credentials-recoverable"}
	)
	return []Operation{
		{
			Service: "ec2", Name: "start-instances", API: "StartInstances", Verb: "start",
			Access: AccessWrite, Actions: []string{"ec2:StartInstances"},
			Type: "ec2_instance", Target: "instance-ids", Parameters: []Parameter{instances},
			Inverse: "stop-instances",
			Effect:  "The instance boots and is billed while it runs; a public address that is not elastic will be a new one.",
			From:    []string{"stopped"}, Already: []string{"running", "pending"},
			Done: []string{"running"}, Failed: ec2Broken,
			Items: "StartingInstances", Output: ec2StateChange,
		},
		{
			Service: "ec2", Name: "stop-instances", API: "StopInstances", Verb: "stop",
			Access: AccessWrite, Actions: []string{"ec2:StopInstances"},
			Type: "ec2_instance", Target: "instance-ids", Parameters: []Parameter{instances,
				{Name: "force", Kind: Bool, Raises: "it skips the orderly shutdown when that takes too long (--force)"},
				{Name: "hibernate", Kind: Bool},
				{Name: "skip-os-shutdown", Kind: Bool, Raises: "it skips the orderly shutdown, which can lose data (--skip-os-shutdown)"},
			},
			Inverse: "start-instances", Disrupts: true,
			Effect: "The instance shuts down: what runs on it ends, data on instance store volumes and a public address that is not elastic are lost; its volumes are still billed.",
			From:   []string{"running"}, Already: []string{"stopped", "stopping"},
			Done: []string{"stopped"}, Failed: ec2Broken,
			Items: "StoppingInstances", Output: ec2StateChange,
		},
		{
			Service: "ec2", Name: "reboot-instances", API: "RebootInstances", Verb: "reboot",
			Access: AccessWrite, Actions: []string{"ec2:RebootInstances"},
			Type: "ec2_instance", Target: "instance-ids", Parameters: []Parameter{instances},
			Disrupts: true,
			Effect:   "The operating system restarts: what runs on the instance is away for some minutes; addresses and volumes stay.",
			From:     []string{"running"},
		},
		{
			Service: "ec2", Name: "describe-instances", API: "DescribeInstances", Verb: "describe",
			Access: AccessList, Reviewed: true, Actions: []string{"ec2:DescribeInstances"},
			Type: "ec2_instance", Target: "instance-ids", Parameters: []Parameter{optional(instances)},
			Effect: "Nothing changes; it reads what AWS knows of the instances.",
			Items:  "Reservations", Output: ec2Instance,
		},
		{
			Service: "rds", Name: "start-db-instance", API: "StartDBInstance", Verb: "start",
			Access: AccessWrite, Actions: []string{"rds:StartDBInstance"},
			Type: "rds_instance", Target: "db-instance-identifier", Parameters: []Parameter{database},
			Inverse: "stop-db-instance",
			Effect:  "The database starts, which takes some minutes, and is billed while it runs.",
			From:    rdsStopped, Already: []string{"available", "starting"},
			Done: []string{"available"}, Failed: rdsBroken,
			Items: "DBInstance", Output: rdsInstance,
		},
		{
			Service: "rds", Name: "stop-db-instance", API: "StopDBInstance", Verb: "stop",
			Access: AccessWrite, Actions: []string{"rds:StopDBInstance"},
			Type: "rds_instance", Target: "db-instance-identifier", Parameters: []Parameter{database,
				{Name: "db-snapshot-identifier", Kind: Scalar, Pattern: rdsID, Fold: true, Max: 255,
					Like: "my-snapshot", Actions: []string{"rds:CreateDBSnapshot"}},
			},
			Inverse: "start-db-instance", Disrupts: true,
			Effect: "The database ends its connections and answers nothing until it is started; its storage is still billed, and AWS starts it again after seven days.",
			From:   []string{"available", "storage-optimization"}, Already: []string{"stopped", "stopping"},
			Done: []string{"stopped"}, Failed: rdsBroken,
			Items: "DBInstance", Output: rdsInstance,
		},
		{
			Service: "rds", Name: "reboot-db-instance", API: "RebootDBInstance", Verb: "reboot",
			Access: AccessWrite, Actions: []string{"rds:RebootDBInstance"},
			Type: "rds_instance", Target: "db-instance-identifier", Parameters: []Parameter{database,
				{Name: "force-failover", Kind: Bool, Raises: "it moves the database to its standby (--force-failover)"},
			},
			Disrupts: true,
			Effect:   "The database restarts: its connections end and it is away for some minutes; parameter changes that wait for a reboot take effect.",
			From:     []string{"available", "storage-optimization", "storage-full", "incompatible-parameters", "incompatible-option-group"},
			Done:     []string{"available"}, Settles: true, Failed: rdsBroken,
			Items: "DBInstance", Output: rdsInstance,
		},
		{
			Service: "rds", Name: "describe-db-instances", API: "DescribeDBInstances", Verb: "describe",
			Access: AccessList, Reviewed: true, Actions: []string{"rds:DescribeDBInstances"},
			Type: "rds_instance", Target: "db-instance-identifier", Parameters: []Parameter{optional(database)},
			Effect: "Nothing changes; it reads what AWS knows of the databases.",
			Items:  "DBInstances", Output: rdsInstance,
		},
		{
			Service: "rds", Name: "start-db-cluster", API: "StartDBCluster", Verb: "start",
			Access: AccessWrite, Actions: []string{"rds:StartDBCluster"},
			Type: "rds_cluster", Target: "db-cluster-identifier", Parameters: []Parameter{cluster},
			Inverse: "stop-db-cluster",
			Effect:  "The cluster and all its instances start, which takes some minutes, and are billed while they run.",
			From:    rdsStopped, Already: []string{"available", "starting"},
			Done: []string{"available"}, Failed: rdsBroken,
			Items: "DBCluster", Output: rdsCluster,
		},
		{
			Service: "rds", Name: "stop-db-cluster", API: "StopDBCluster", Verb: "stop",
			Access: AccessWrite, Actions: []string{"rds:StopDBCluster"},
			Type: "rds_cluster", Target: "db-cluster-identifier", Parameters: []Parameter{cluster},
			Inverse: "start-db-cluster", Disrupts: true,
			Effect: "The cluster with all its instances ends its connections and answers nothing until it is started; its storage is still billed, and AWS starts it again after seven days.",
			From:   []string{"available"}, Already: []string{"stopped", "stopping"},
			Done: []string{"stopped"}, Failed: rdsBroken,
			Items: "DBCluster", Output: rdsCluster,
		},
		{
			Service: "rds", Name: "reboot-db-cluster", API: "RebootDBCluster", Verb: "reboot",
			Access: AccessWrite, Actions: []string{"rds:RebootDBCluster"},
			Type: "rds_cluster", Target: "db-cluster-identifier", Parameters: []Parameter{cluster},
			Disrupts: true,
			Effect:   "All instances of the cluster restart: its connections end and it is away for some minutes.",
			From:     []string{"available"},
			Done:     []string{"available"}, Settles: true, Failed: rdsBroken,
			Items: "DBCluster", Output: rdsCluster,
		},
		{
			Service: "rds", Name: "describe-db-clusters", API: "DescribeDBClusters", Verb: "describe",
			Access: AccessList, Reviewed: true, Actions: []string{"rds:DescribeDBClusters"},
			Type: "rds_cluster", Target: "db-cluster-identifier", Parameters: []Parameter{optional(cluster)},
			Effect: "Nothing changes; it reads what AWS knows of the clusters.",
			Items:  "DBClusters", Output: rdsCluster,
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
