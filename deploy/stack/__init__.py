"""The CloudFormation stack, one module per group of resources."""
