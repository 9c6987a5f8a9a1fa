"""Lambda, EventBridge, SQS and DynamoDB on one machine, with real processes and real services on loopback."""
