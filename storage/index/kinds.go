package index

import "strings"

// called is what people call resources: types are those that the word means
// alone, also those that it may mean beside a name or another such word, as in
// "db instance". Types that are not read are here too, so that who asks for them
// is told so.
type called struct {
	words string
	types string
	also  string
}

var calls = wordsOfTypes([]called{
	{"server instance host node", "ec2_instance", "rds_instance"},
	{"machine vm box ec2", "ec2_instance", ""},
	{"database db sql", "rds_instance rds_cluster", ""},
	{"rds aurora", "rds_instance rds_cluster", ""},
	{"cluster", "rds_cluster", ""},
	{"bucket s3", "s3_bucket", ""},
	{"disk volume ebs", "ec2_volume", ""},
	{"snapshot", "ec2_snapshot rds_snapshot", ""},
	{"ami image", "ec2_image", ""},
	{"vpc", "ec2_vpc", ""},
	{"subnet", "ec2_subnet", ""},
	{"sg firewall security-group", "ec2_security_group", ""},
	{"eip elastic-ip", "ec2_address", ""},
	{"key-pair keypair", "ec2_key_pair", ""},
	{"route-table", "ec2_route_table", ""},
	{"gateway internet-gateway nat-gateway", "ec2_gateway", ""},
	{"endpoint vpc-endpoint", "ec2_vpc_endpoint", ""},
	{"eni network-interface", "ec2_network_interface", ""},
	{"lambda function", "lambda_function", ""},
	{"ecs task container fargate", "ecs_service", ""},
	{"kubernetes k8s eks", "eks_cluster", ""},
	{"queue sqs", "sqs_queue", ""},
	{"topic sns", "sns_topic", ""},
	{"table dynamodb dynamo", "dynamodb_table", ""},
	{"cache elasticache redis memcached", "elasticache_cluster", ""},
	{"redshift warehouse", "redshift_cluster", ""},
	{"cdn cloudfront distribution", "cloudfront_distribution", ""},
	{"lb elb alb nlb load-balancer loadbalancer", "elb_load_balancer", ""},
	{"target-group", "elb_target_group", ""},
	{"asg auto-scaling autoscaling auto-scaling-group", "autoscaling_group", ""},
	{"iam role user policy permission", "iam_role", ""},
	{"stack cloudformation", "cloudformation_stack", ""},
	{"route53 hosted-zone domain", "route53_zone", ""},
	{"secret secretsmanager", "secretsmanager_secret", ""},
	{"parameter ssm", "ssm_parameter", ""},
	{"kms", "kms_key", ""},
	{"ecr repository repo", "ecr_repository", ""},
	{"alarm cloudwatch", "cloudwatch_alarm", ""},
	{"log-group log", "logs_group", ""},
	{"apigateway api-gateway", "apigateway_api", ""},
	{"state-machine step-function", "states_machine", ""},
	{"eventbridge", "events_rule", ""},
	{"certificate cert acm", "acm_certificate", ""},
	{"efs filesystem file-system", "efs_filesystem", ""},
})

type typesOfWord struct{ alone, all []string }

func wordsOfTypes(list []called) map[string]typesOfWord {
	m := map[string]typesOfWord{}
	for _, c := range list {
		of := typesOfWord{alone: strings.Fields(c.types)}
		of.all = append(strings.Fields(c.types), strings.Fields(c.also)...)
		for w := range strings.FieldsSeq(c.words) {
			m[w] = of
		}
	}
	return m
}

// Called lists the resource types that a word of people means alone, and all
// that it may mean beside a name or another such word; plurals are understood.
// Both are nil for a word that means none.
func Called(word string) (alone, all []string) {
	w := strings.ToLower(word)
	for _, form := range [...]string{w, strings.TrimSuffix(w, "s"), strings.TrimSuffix(w, "es"), strings.TrimSuffix(w, "ies") + "y"} {
		if t, ok := calls[form]; ok {
			return t.alone, t.all
		}
	}
	return nil, nil
}
