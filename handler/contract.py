"""The contract of this function: the names that it shares with producers, operators and AWS."""

DISPLAY_NAME = "MarkEarningsProcessed"
"""CloudWatch namespace of the metrics, and the name of the function in titles."""

FUNCTION_NAME = "mark-earnings-processed"
"""Name of the Lambda function where it does not run on Lambda; instrumentation scope of the spans."""

SUBJECT_KEYS = ("asset_symbol", "earnings_date")
"""Log fields and X-Ray annotations that say what an event is about."""
