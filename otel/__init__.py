"""What the function tells the world: spans, metrics and log lines."""
