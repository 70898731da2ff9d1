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
)

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
	r := t.resource("rds", "rds_instance", id)
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
	m.number("allocated_storage", i.AllocatedStorage)
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

	inCluster := aws.ToString(i.DBClusterIdentifier) != ""
	isReplica := aws.ToString(i.ReadReplicaSourceDBInstanceIdentifier) != "" || aws.ToString(i.ReadReplicaSourceDBClusterIdentifier) != ""
	hasReplicas := len(i.ReadReplicaDBInstanceIdentifiers) > 0 || len(i.ReadReplicaDBClusterIdentifiers) > 0
	c := facts(r.Constraints)
	c["multi_az"] = aws.ToBool(i.MultiAZ)
	c["has_read_replicas"] = hasReplicas
	c["is_read_replica"] = isReplica
	c.flag("deletion_protection", i.DeletionProtection)
	// The rules of rds:StopDBInstance.
	why := ""
	switch {
	case inCluster:
		why = "it is a member of a cluster, which is stopped as a whole"
	case isReplica:
		why = "it is a read replica"
	case hasReplicas:
		why = "it has read replicas"
	case aws.ToBool(i.MultiAZ) && strings.HasPrefix(r.Engine, "sqlserver"):
		why = "SQL Server in a Multi-AZ deployment can't be stopped"
	}
	stoppable(c, r.State, why)
	c["can_reboot"] = r.State == "available"

	r.Aliases = distinct(r.ImmutableID, address)
	size := ""
	if n := aws.ToInt32(i.AllocatedStorage); n > 0 && !strings.HasPrefix(r.Engine, "aurora") {
		size = fmt.Sprintf("%d GiB", n)
	}
	multi := ""
	if aws.ToBool(i.MultiAZ) {
		multi = "Multi-AZ"
	}
	role := ""
	if isReplica {
		role = "read replica"
	}
	r.Summary = summary(aws.ToString(i.DBInstanceClass), r.Engine+" "+r.EngineVersion, size, multi, role)
	return r
}

// dbCluster keeps what is allow-listed of an RDS cluster.
func dbCluster(t Target, d types.DBCluster) storage.Resource {
	id := aws.ToString(d.DBClusterIdentifier)
	r := t.resource("rds", "rds_cluster", id)
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
	m.list("read_replicas", slices.Clone(d.ReadReplicaIdentifiers))

	isReplica := aws.ToString(d.ReplicationSourceIdentifier) != ""
	hasReplicas := len(d.ReadReplicaIdentifiers) > 0
	c := facts(r.Constraints)
	c["multi_az"] = aws.ToBool(d.MultiAZ)
	c["has_read_replicas"] = hasReplicas
	c["is_read_replica"] = isReplica
	c.flag("deletion_protection", d.DeletionProtection)
	// The rules of rds:StopDBCluster.
	why := ""
	switch {
	case aws.ToString(d.EngineMode) == "serverless":
		why = "Aurora Serverless v1 pauses by itself"
	case aws.ToString(d.GlobalClusterIdentifier) != "":
		why = "it is part of a global database"
	case isReplica:
		why = "it replicates another cluster"
	case hasReplicas:
		why = "it has read replicas"
	}
	stoppable(c, r.State, why)
	c["can_reboot"] = r.State == "available"

	r.Aliases = distinct(append([]string{r.ImmutableID, aws.ToString(d.Endpoint), aws.ToString(d.ReaderEndpoint)}, d.CustomEndpoints...)...)
	count := ""
	if n := len(members); n > 0 {
		count = fmt.Sprintf("%d instances", n)
		if n == 1 {
			count = "1 instance"
		}
	}
	r.Summary = summary(r.Engine+" "+r.EngineVersion, count)
	return r
}

// stoppable says whether a database can be started or stopped now; why is the
// rule that forbids stopping it in any state.
func stoppable(c facts, state, why string) {
	c["can_start"] = state == "stopped"
	c["can_stop"] = state == "available" && why == ""
	if why != "" {
		c["cannot_stop_because"] = why
	}
}

func rdsTags(list []types.Tag) map[string]string {
	tags := map[string]string{}
	for _, tag := range list {
		tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return tags
}
