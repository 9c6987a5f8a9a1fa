"""The automatic redrive: a scheduled function that sends the events of transient failures to the function again.

It is the code behind `mep dlq redrive` without a terminal. It invokes the function synchronously, so that it knows the
outcome of an event before it deletes its message: an event that fails again stays where it is, and waits for the next
run.
"""

OPERATOR = "auto"
"""The operator in its audit entries."""

TIMEOUT_S = 300
"""The timeout of this function in seconds."""

VISIBILITY_TIMEOUT_S = TIMEOUT_S + 60
"""Visibility timeout of received messages in seconds: longer than a run, shorter than the time between two."""

ENVIRONMENT_VARIABLE = "ENVIRONMENT"
QUEUE_VARIABLE = "DEAD_LETTER_QUEUE_URL"

FUNCTION_VARIABLE = "AUTO_REDRIVE_FUNCTION"
"""The environment variable with the ARN of the function's alias."""

RULE_VARIABLE = "AUTO_REDRIVE_RULE"
"""The environment variable with the name of the rule that delivers events to the function."""

BUS_VARIABLE = "EVENT_BUS_NAME"
"""The environment variable with the rule's bus."""

REDRIVE_TASK, CALENDAR_TASK = "redrive", "calendar"
"""The tasks: the member `task` of the event that a schedule sends."""
