package aws

import (
	"strings"

	"github.com/cloudops/cloudops/storage/kind"
)

// unread are the types that people ask for and scans don't read yet, so that
// who asks for them is told so.
func unread() []kind.Kind {
	var all []kind.Kind
	for _, t := range []struct{ typ, one, words string }{
		{"ec2_volume", "EBS volume", "disk volume ebs"},
		{"ec2_snapshot", "EBS snapshot", "snapshot"},
		{"rds_snapshot", "RDS snapshot", "snapshot"},
		{"ec2_image", "machine image", "ami image"},
		{"ec2_vpc", "VPC", "vpc"},
		{"ec2_subnet", "subnet", "subnet"},
		{"ec2_security_group", "security group", "sg firewall security-group"},
		{"ec2_address", "elastic address", "eip elastic-ip"},
		{"ec2_key_pair", "key pair", "key-pair keypair"},
		{"ec2_route_table", "route table", "route-table"},
		{"ec2_gateway", "gateway", "gateway internet-gateway nat-gateway"},
		{"ec2_vpc_endpoint", "VPC endpoint", "endpoint vpc-endpoint"},
		{"ec2_network_interface", "network interface", "eni network-interface"},
		{"lambda_function", "Lambda function", "lambda function"},
		{"ecs_service", "ECS service", "ecs task container fargate"},
		{"eks_cluster", "EKS cluster", "kubernetes k8s eks"},
		{"sqs_queue", "SQS queue", "queue sqs"},
		{"sns_topic", "SNS topic", "topic sns"},
		{"dynamodb_table", "DynamoDB table", "table dynamodb dynamo"},
		{"elasticache_cluster", "ElastiCache cluster", "cache elasticache redis memcached"},
		{"redshift_cluster", "Redshift cluster", "redshift warehouse"},
		{"cloudfront_distribution", "CloudFront distribution", "cdn cloudfront distribution"},
		{"elb_load_balancer", "load balancer", "lb elb alb nlb load-balancer loadbalancer"},
		{"elb_target_group", "target group", "target-group"},
		{"autoscaling_group", "Auto Scaling group", "asg auto-scaling autoscaling auto-scaling-group"},
		{"iam_role", "IAM role", "iam role user policy permission"},
		{"cloudformation_stack", "CloudFormation stack", "stack cloudformation"},
		{"route53_zone", "hosted zone", "route53 hosted-zone domain"},
		{"secretsmanager_secret", "secret", "secret secretsmanager"},
		{"ssm_parameter", "SSM parameter", "parameter ssm"},
		{"kms_key", "KMS key", "kms"},
		{"ecr_repository", "ECR repository", "ecr repository repo"},
		{"cloudwatch_alarm", "CloudWatch alarm", "alarm cloudwatch"},
		{"logs_group", "log group", "log-group log"},
		{"apigateway_api", "API Gateway API", "apigateway api-gateway"},
		{"states_machine", "state machine", "state-machine step-function"},
		{"events_rule", "EventBridge rule", "eventbridge"},
		{"acm_certificate", "ACM certificate", "certificate cert acm"},
		{"efs_filesystem", "EFS file system", "efs filesystem file-system"},
	} {
		service, _, _ := strings.Cut(t.typ, "_")
		all = append(all, kind.Kind{Type: t.typ, Service: service, Label: kind.Regular(t.one), Words: strings.Fields(t.words), Unread: true})
	}
	return all
}
