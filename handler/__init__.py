"""The function: from an EventBridge event to exactly one outcome."""
