"""An evaluator of alarms, by CloudWatch's documented rules."""
