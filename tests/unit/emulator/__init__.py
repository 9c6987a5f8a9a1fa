"""The emulator's parts, without DynamoDB Local."""
