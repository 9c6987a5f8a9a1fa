"""DynamoDB and SQS on one machine, as processes that this one starts and terminates."""
