"""DynamoDB and SQS on one machine: real programs that are started, waited for and ended."""
