"""The function on the real services: DynamoDB Local, an SQS, UDP sockets, and faults on the wire."""
