package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/kind"
)

// What both have in common. A database that ends up in one of rdsBroken is not
// brought back by waiting.
var (
	rdsStates = []kind.State{
		{Name: "available", Phase: kind.Up, Words: []string{"active"}}, {Name: "storage-optimization", Phase: kind.Up}, {Name: "backing-up", Phase: kind.Up},
		{Name: "configuring-enhanced-monitoring", Phase: kind.Up}, {Name: "configuring-iam-database-auth", Phase: kind.Up},
		{Name: "configuring-log-exports", Phase: kind.Up}, {Name: "converting-to-vpc", Phase: kind.Moving},
		{Name: "stopped", Phase: kind.Down}, {Name: "inaccessible-encryption-credentials-recoverable", Phase: kind.Down},
		{Name: "creating", Phase: kind.Moving}, {Name: "starting", Phase: kind.Moving, Words: []string{"pending"}}, {Name: "stopping", Phase: kind.Moving},
		{Name: "rebooting", Phase: kind.Moving}, {Name: "modifying", Phase: kind.Moving}, {Name: "upgrading", Phase: kind.Moving},
		{Name: "renaming", Phase: kind.Moving}, {Name: "maintenance", Phase: kind.Moving}, {Name: "moving-to-vpc", Phase: kind.Moving},
		{Name: "resetting-master-credentials", Phase: kind.Moving}, {Name: "failing-over", Phase: kind.Moving},
		{Name: "migrating", Phase: kind.Moving}, {Name: "promoting", Phase: kind.Moving}, {Name: "delete-precheck", Phase: kind.Moving},
		{Name: "storage-config-upgrade", Phase: kind.Moving}, {Name: "storage-initialization", Phase: kind.Moving},
		{Name: "update-iam-db-auth", Phase: kind.Moving}, {Name: "preparing-data-migration", Phase: kind.Moving},
		{Name: "backtracking", Phase: kind.Moving}, {Name: "cloning-failed", Phase: kind.Broken}, {Name: "migration-failed", Phase: kind.Broken},
		{Name: "failed", Phase: kind.Broken}, {Name: "inaccessible-encryption-credentials", Phase: kind.Broken},
		{Name: "incompatible-network", Phase: kind.Broken}, {Name: "incompatible-restore", Phase: kind.Broken},
		{Name: "incompatible-create", Phase: kind.Broken}, {Name: "incompatible-parameters", Phase: kind.Broken},
		{Name: "incompatible-option-group", Phase: kind.Broken}, {Name: "insufficient-capacity", Phase: kind.Broken},
		{Name: "restore-error", Phase: kind.Broken}, {Name: "storage-full", Phase: kind.Broken},
		{Name: "deleting", Phase: kind.Gone},
	}
	rdsBroken = []string{"deleting", "failed", "inaccessible-encryption-credentials",
		"incompatible-network", "incompatible-restore", "insufficient-capacity"}
	rdsStopped = []string{"stopped", "inaccessible-encryption-credentials-recoverable"}
	rdsHosts   = []kind.Form{kind.Host(".rds.amazonaws.com"), kind.Host(".rds.amazonaws.com.cn")}
	rdsEngine  = kind.Fact{Name: "engine", Label: "engine", Show: "{engine} {engine_version}", Bound: true, Embed: true,
		Values: strings.Fields("postgres mysql mariadb oracle sqlserver aurora aurora-mysql aurora-postgresql db2"),
		Short:  map[string]string{"postgresql": "postgres", "pg": "postgres", "maria": "mariadb"}}
)

// rdsNamed is what AWS lets databases be called: at most 63 small letters,
// digits and hyphens.
const rdsNamed = `[A-Za-z](?:-?[A-Za-z0-9]){0,62}`

var rdsInstance = kind.Kind{
	Type: "rds_instance", Service: "rds", Label: kind.Regular("RDS instance"),
	Words: []string{"database", "db", "sql", "rds"}, Also: []string{"server", "instance", "host", "node"},
	Reads: "rds:DescribeDBInstances", ARN: "db:", Named: rdsNamed,
	Forms: append([]kind.Form{{Pattern: `db-[A-Z0-9]{20,}`, Case: true}}, rdsHosts...),
	IaC:   []string{"aws_db_instance.identifier", "aws_rds_cluster_instance.identifier", "AWS::RDS::DBInstance"},
	Facts: []kind.Fact{
		{Name: "instance_class", Label: "class", Show: "{instance_class}", Bound: true, Embed: true},
		rdsEngine,
		{Name: "allocated_storage", Label: "storage", Show: "{allocated_storage} GiB"},
		{Name: "multi_az", Label: "Multi-AZ", Show: "Multi-AZ", Bound: true, Embed: true, Asks: kind.MultiAZ},
		{Name: "is_read_replica", Label: "read replica", Show: "read replica", Bound: true, Embed: true, Asks: kind.Replica},
		{Name: "has_read_replicas", Label: "has read replicas", Bound: true, Asks: kind.HasReplicas},
		{Name: "read_replicas", Label: "read replicas", Bound: true},
		{Name: "replica_of", Label: "replica of"},
		{Name: "cluster", Label: "cluster", Bound: true},
		{Name: "endpoint", Label: "endpoint"},
		{Name: "port", Label: "port"},
		{Name: "database_name", Label: "database"},
		{Name: "storage_type", Label: "storage type"},
		{Name: "iops", Label: "IOPS"},
		{Name: "storage_encrypted", Label: "encrypted", Asks: kind.Encrypted},
		{Name: "publicly_accessible", Label: "publicly accessible", Asks: kind.Public},
		{Name: "availability_zone", Label: "zone"},
		{Name: "vpc_id", Label: "VPC"},
		{Name: "subnet_group", Label: "subnet group"},
		{Name: "security_groups", Label: "security groups"},
		{Name: "backup_retention_days", Label: "days that backups are kept"},
		{Name: "backup_window", Label: "backup window"},
		{Name: "maintenance_window", Label: "maintenance window"},
		{Name: "deletion_protection", Label: "protected from deletion", Bound: true, Asks: kind.Protected},
	},
	States: rdsStates,
	Edges: []kind.Edge{
		{Fact: "cluster", Is: "member of", To: "rds_cluster"}, {Fact: "replica_of", Is: "replica of", To: "rds_instance"},
		{Fact: "read_replicas", Is: "replicated by", To: "rds_instance"}, {Fact: "vpc_id", Is: "in", To: "ec2_vpc"},
		{Fact: "subnet_group", Is: "in", To: "rds_subnet_group"}, {Fact: "security_groups", Is: "behind", To: "ec2_security_group"},
	},
	Actions: []kind.Action{
		{
			Verb: kind.Start, Operation: "start-db-instance", Undo: kind.Stop,
			Effect: "The database starts, which takes some minutes, and is billed while it runs.",
			From:   rdsStopped, Already: []string{"available", "starting"},
			Done: []string{"available"}, Failed: rdsBroken,
		},
		{
			Verb: kind.Stop, Operation: "stop-db-instance", Undo: kind.Start,
			Effect: "The database ends its connections and answers nothing until it is started; its storage is still billed, and AWS starts it again after seven days.",
			From:   []string{"available", "storage-optimization"}, Already: []string{"stopped", "stopping"},
			Done: []string{"stopped"}, Failed: rdsBroken,
		},
		{
			Verb: kind.Reboot, Operation: "reboot-db-instance",
			Effect: "The database restarts: its connections end and it is away for some minutes; parameter changes that wait for a reboot take effect.",
			From:   []string{"available", "storage-optimization", "storage-full", "incompatible-parameters", "incompatible-option-group"},
			Done:   []string{"available"}, Settles: true, Failed: rdsBroken,
		},
		{Verb: kind.Describe, Operation: "describe-db-instances", Effect: "Nothing changes; it reads what AWS knows of the databases."},
	},
	// The rules of rds:StartDBInstance and rds:StopDBInstance.
	Rules: []kind.Rule{
		{Verbs: []*kind.Verb{kind.Start, kind.Stop}, When: []kind.Condition{kind.If("cluster")}, Effect: kind.Forbids,
			Why: "it is a member of a cluster, which starts and stops as a whole", Instead: "use {verb}-db-cluster with cluster {cluster}"},
		{Verbs: []*kind.Verb{kind.Stop}, When: []kind.Condition{kind.If("is_read_replica")}, Effect: kind.Forbids, Why: "it is a read replica"},
		{Verbs: []*kind.Verb{kind.Stop}, When: []kind.Condition{kind.If("has_read_replicas")}, Effect: kind.Forbids, Why: "it has read replicas"},
		{Verbs: []*kind.Verb{kind.Stop}, When: []kind.Condition{kind.If("multi_az"), kind.If("engine", "sqlserver*")}, Effect: kind.Forbids,
			Why: "SQL Server in a Multi-AZ deployment can't be stopped"},
		{Disrupts: true, When: []kind.Condition{kind.If("has_read_replicas")}, Effect: kind.Notes, Why: "it has read replicas"},
		{Disrupts: true, When: []kind.Condition{kind.IfState("incompatible-parameters", "incompatible-option-group", "storage-full")},
			Effect: kind.Notes, Why: "its state is {state}"},
	},
	Gone: []string{"DBInstanceNotFound", "DBInstanceNotFoundFault"},
}

var rdsCluster = kind.Kind{
	Type: "rds_cluster", Service: "rds", Label: kind.Regular("RDS cluster"),
	Words: []string{"cluster", "database", "db", "sql", "rds"},
	Reads: "rds:DescribeDBClusters", ARN: "cluster:", Named: rdsNamed,
	Forms: append([]kind.Form{{Pattern: `cluster-[A-Z0-9]{20,}`, Case: true}}, rdsHosts...),
	IaC:   []string{"aws_rds_cluster.cluster_identifier", "AWS::RDS::DBCluster"},
	Facts: []kind.Fact{
		rdsEngine,
		{Name: "members", Label: "members", Count: kind.Noun{One: "instance", Many: "instances"}, Bound: true},
		{Name: "writer", Label: "writer"},
		{Name: "engine_mode", Label: "engine mode"},
		{Name: "instance_class", Label: "class", Bound: true, Embed: true},
		{Name: "allocated_storage", Label: "storage"},
		{Name: "storage_encrypted", Label: "encrypted", Asks: kind.Encrypted},
		{Name: "publicly_accessible", Label: "publicly accessible", Asks: kind.Public},
		{Name: "multi_az", Label: "Multi-AZ", Bound: true, Asks: kind.MultiAZ},
		{Name: "is_read_replica", Label: "replicates another cluster", Bound: true, Asks: kind.Replica},
		{Name: "has_read_replicas", Label: "has read replicas", Bound: true, Asks: kind.HasReplicas},
		{Name: "read_replicas", Label: "read replicas", Bound: true},
		{Name: "replica_of", Label: "replica of"},
		{Name: "global_cluster", Label: "global database"},
		{Name: "availability_zones", Label: "zones"},
		{Name: "endpoint", Label: "endpoint"},
		{Name: "reader_endpoint", Label: "reader endpoint"},
		{Name: "port", Label: "port"},
		{Name: "database_name", Label: "database"},
		{Name: "subnet_group", Label: "subnet group"},
		{Name: "backup_retention_days", Label: "days that backups are kept"},
		{Name: "deletion_protection", Label: "protected from deletion", Bound: true, Asks: kind.Protected},
	},
	States: rdsStates,
	Edges: []kind.Edge{
		{Fact: "members", Is: "has", To: "rds_instance"}, {Fact: "subnet_group", Is: "in", To: "rds_subnet_group"},
		{Fact: "replica_of", Is: "replica of", To: "rds_cluster"}, {Fact: "read_replicas", Is: "replicated by", To: "rds_cluster"},
	},
	Actions: []kind.Action{
		{
			Verb: kind.Start, Operation: "start-db-cluster", Undo: kind.Stop,
			Effect: "The cluster and all its instances start, which takes some minutes, and are billed while they run.",
			From:   rdsStopped, Already: []string{"available", "starting"},
			Done: []string{"available"}, Failed: rdsBroken,
		},
		{
			Verb: kind.Stop, Operation: "stop-db-cluster", Undo: kind.Start,
			Effect: "The cluster with all its instances ends its connections and answers nothing until it is started; its storage is still billed, and AWS starts it again after seven days.",
			From:   []string{"available"}, Already: []string{"stopped", "stopping"},
			Done: []string{"stopped"}, Failed: rdsBroken,
		},
		{
			Verb: kind.Reboot, Operation: "reboot-db-cluster",
			Effect: "All instances of the cluster restart: its connections end and it is away for some minutes.",
			From:   []string{"available"},
			Done:   []string{"available"}, Settles: true, Failed: rdsBroken,
		},
		{Verb: kind.Describe, Operation: "describe-db-clusters", Effect: "Nothing changes; it reads what AWS knows of the clusters."},
	},
	// The rules of rds:StopDBCluster and rds:RebootDBCluster.
	Rules: []kind.Rule{
		{Verbs: []*kind.Verb{kind.Stop}, When: []kind.Condition{kind.If("engine_mode", "serverless")}, Effect: kind.Forbids,
			Why: "Aurora Serverless v1 pauses by itself"},
		{Verbs: []*kind.Verb{kind.Stop}, When: []kind.Condition{kind.If("global_cluster")}, Effect: kind.Forbids,
			Why: "it is part of a global database"},
		{Verbs: []*kind.Verb{kind.Stop}, When: []kind.Condition{kind.If("is_read_replica")}, Effect: kind.Forbids,
			Why: "it replicates another cluster"},
		{Verbs: []*kind.Verb{kind.Stop}, When: []kind.Condition{kind.If("has_read_replicas")}, Effect: kind.Forbids, Why: "it has read replicas"},
		{Verbs: []*kind.Verb{kind.Reboot}, When: []kind.Condition{kind.If("engine", "aurora*")}, Effect: kind.Forbids,
			Why: "it is an Aurora cluster, which AWS does not reboot as a whole", Instead: "reboot its instances with reboot-db-instance"},
		{Disrupts: true, When: []kind.Condition{kind.If("members")}, Effect: kind.Notes, Why: "all its {n} instances are affected"},
		{Disrupts: true, When: []kind.Condition{kind.If("has_read_replicas")}, Effect: kind.Notes, Why: "it has read replicas"},
	},
	Gone: []string{"DBClusterNotFound", "DBClusterNotFoundFault"},
}

func listDBInstances(ctx context.Context, cfg aws.Config, t Target, s Sink) error {
	pages := rds.NewDescribeDBInstancesPaginator(rds.NewFromConfig(cfg), &rds.DescribeDBInstancesInput{})
	return list(ctx, "RDS instances", pages, func(page *rds.DescribeDBInstancesOutput) *string { return page.Marker }, func(page *rds.DescribeDBInstancesOutput) error {
		found := []storage.Resource{}
		for _, d := range page.DBInstances {
			found = append(found, dbInstance(t, d))
		}
		return s.Emit(ctx, found)
	})
}

func describeDBInstance(ctx context.Context, cfg aws.Config, t Target, id string) (storage.Resource, error) {
	out, err := rds.NewFromConfig(cfg).DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &id})
	if err != nil {
		return storage.Resource{}, fmt.Errorf("describing an RDS instance: %w", err)
	}
	found := []storage.Resource{}
	for _, i := range out.DBInstances {
		found = append(found, dbInstance(t, i))
	}
	r, err := only(found, id)
	if err != nil {
		return r, fmt.Errorf("describing an RDS instance: %w", err)
	}
	return r, nil
}

func listDBClusters(ctx context.Context, cfg aws.Config, t Target, s Sink) error {
	pages := rds.NewDescribeDBClustersPaginator(rds.NewFromConfig(cfg), &rds.DescribeDBClustersInput{})
	return list(ctx, "RDS clusters", pages, func(page *rds.DescribeDBClustersOutput) *string { return page.Marker }, func(page *rds.DescribeDBClustersOutput) error {
		found := []storage.Resource{}
		for _, d := range page.DBClusters {
			found = append(found, dbCluster(t, d))
		}
		return s.Emit(ctx, found)
	})
}

func describeDBCluster(ctx context.Context, cfg aws.Config, t Target, id string) (storage.Resource, error) {
	out, err := rds.NewFromConfig(cfg).DescribeDBClusters(ctx, &rds.DescribeDBClustersInput{DBClusterIdentifier: &id})
	if err != nil {
		return storage.Resource{}, fmt.Errorf("describing an RDS cluster: %w", err)
	}
	found := []storage.Resource{}
	for _, c := range out.DBClusters {
		found = append(found, dbCluster(t, c))
	}
	r, err := only(found, id)
	if err != nil {
		return r, fmt.Errorf("describing an RDS cluster: %w", err)
	}
	return r, nil
}

// dbInstance keeps what is allow-listed of an RDS instance.
func dbInstance(t Target, i types.DBInstance) storage.Resource {
	id := aws.ToString(i.DBInstanceIdentifier)
	r := t.resource(&rdsInstance, id)
	r.Name = id
	r.ARN = aws.ToString(i.DBInstanceArn)
	if r.ARN == "" {
		r.ARN = t.arn("rds", "db:"+id)
	}
	r.ImmutableID = aws.ToString(i.DbiResourceId)
	r.CreatedAt = moment(i.InstanceCreateTime)
	r.State = aws.ToString(i.DBInstanceStatus)
	r.Engine = aws.ToString(i.Engine)
	r.EngineVersion = aws.ToString(i.EngineVersion)
	r.Tags = rdsTags(i.TagList)

	m := facts(r.Metadata)
	m.text("instance_class", i.DBInstanceClass)
	if !strings.HasPrefix(r.Engine, "aurora") { // of which AWS says 1, whatever it has
		m.number("allocated_storage", i.AllocatedStorage)
	}
	m.text("storage_type", i.StorageType)
	m.number("iops", i.Iops)
	m.flag("storage_encrypted", i.StorageEncrypted)
	m.flag("publicly_accessible", i.PubliclyAccessible)
	m.flag("multi_az", i.MultiAZ)
	m.text("availability_zone", i.AvailabilityZone)
	m.number("backup_retention_days", i.BackupRetentionPeriod)
	m.text("backup_window", i.PreferredBackupWindow)
	m.text("maintenance_window", i.PreferredMaintenanceWindow)
	m.text("database_name", i.DBName)
	m.text("cluster", i.DBClusterIdentifier)
	m.text("replica_of", i.ReadReplicaSourceDBInstanceIdentifier)
	m.list("read_replicas", slices.Clone(i.ReadReplicaDBInstanceIdentifiers))
	if i.DBSubnetGroup != nil {
		m.text("vpc_id", i.DBSubnetGroup.VpcId)
		m.text("subnet_group", i.DBSubnetGroup.DBSubnetGroupName)
	}
	groups := []string{}
	for _, g := range i.VpcSecurityGroups {
		groups = append(groups, aws.ToString(g.VpcSecurityGroupId))
	}
	m.list("security_groups", distinct(groups...))
	address := ""
	if i.Endpoint != nil {
		address = aws.ToString(i.Endpoint.Address)
		m.text("endpoint", &address)
		m.number("port", i.Endpoint.Port)
	}

	isReplica := aws.ToString(i.ReadReplicaSourceDBInstanceIdentifier) != "" || aws.ToString(i.ReadReplicaSourceDBClusterIdentifier) != ""
	hasReplicas := len(i.ReadReplicaDBInstanceIdentifiers) > 0 || len(i.ReadReplicaDBClusterIdentifiers) > 0
	c := facts(r.Constraints)
	c["multi_az"] = aws.ToBool(i.MultiAZ)
	c["has_read_replicas"] = hasReplicas
	c["is_read_replica"] = isReplica
	c.flag("deletion_protection", i.DeletionProtection)

	r.Aliases = distinct(r.ImmutableID, address)
	summarise(&rdsInstance, &r)
	return r
}

// dbCluster keeps what is allow-listed of an RDS cluster.
func dbCluster(t Target, d types.DBCluster) storage.Resource {
	id := aws.ToString(d.DBClusterIdentifier)
	r := t.resource(&rdsCluster, id)
	r.Name = id
	r.ARN = aws.ToString(d.DBClusterArn)
	if r.ARN == "" {
		r.ARN = t.arn("rds", "cluster:"+id)
	}
	r.ImmutableID = aws.ToString(d.DbClusterResourceId)
	r.CreatedAt = moment(d.ClusterCreateTime)
	r.State = aws.ToString(d.Status)
	r.Engine = aws.ToString(d.Engine)
	r.EngineVersion = aws.ToString(d.EngineVersion)
	r.Tags = rdsTags(d.TagList)

	members := []string{}
	m := facts(r.Metadata)
	for _, member := range d.DBClusterMembers {
		members = append(members, aws.ToString(member.DBInstanceIdentifier))
		if aws.ToBool(member.IsClusterWriter) {
			m.text("writer", member.DBInstanceIdentifier)
		}
	}
	slices.Sort(members)
	m.list("members", members)
	m.text("engine_mode", d.EngineMode)
	m.text("instance_class", d.DBClusterInstanceClass)
	m.number("allocated_storage", d.AllocatedStorage)
	m.flag("storage_encrypted", d.StorageEncrypted)
	m.flag("publicly_accessible", d.PubliclyAccessible)
	m.flag("multi_az", d.MultiAZ)
	zones := slices.Clone(d.AvailabilityZones)
	slices.Sort(zones)
	m.list("availability_zones", zones)
	m.number("backup_retention_days", d.BackupRetentionPeriod)
	m.text("database_name", d.DatabaseName)
	m.text("subnet_group", d.DBSubnetGroup)
	m.text("endpoint", d.Endpoint)
	m.text("reader_endpoint", d.ReaderEndpoint)
	m.number("port", d.Port)
	m.text("replica_of", d.ReplicationSourceIdentifier)
	m.text("global_cluster", d.GlobalClusterIdentifier)
	m.list("read_replicas", slices.Clone(d.ReadReplicaIdentifiers))

	isReplica := aws.ToString(d.ReplicationSourceIdentifier) != ""
	hasReplicas := len(d.ReadReplicaIdentifiers) > 0
	c := facts(r.Constraints)
	c["multi_az"] = aws.ToBool(d.MultiAZ)
	c["has_read_replicas"] = hasReplicas
	c["is_read_replica"] = isReplica
	c.flag("deletion_protection", d.DeletionProtection)

	r.Aliases = distinct(append([]string{r.ImmutableID, aws.ToString(d.Endpoint), aws.ToString(d.ReaderEndpoint)}, d.CustomEndpoints...)...)
	summarise(&rdsCluster, &r)
	return r
}

func rdsTags(list []types.Tag) map[string]string {
	tags := map[string]string{}
	for _, tag := range list {
		tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return tags
}
