"""The dashboard section on cost: an estimate of the cost that grows with the number of events, not the bill."""

from monitoring.model import HOUR, Kind, Line, Metric, Section, Source, Widget

# List prices, us-east-1, US dollars, without free tier:
# https://aws.amazon.com/lambda/pricing/ and https://aws.amazon.com/dynamodb/pricing/on-demand/
GB_SECOND = 0.0000133334
"""Lambda on arm64, per gigabyte-second."""
REQUEST = 0.0000002
"""Lambda, per invocation."""
WRITE_UNIT = 0.000000625
"""DynamoDB on demand, per write request unit."""

WRITE_UNITS = 5
"""Per marked row: two each for the row and the audit entry, in a transaction, and one for the audit table's index."""

MEMORY = "{memory_mb}"
"""Placeholder for the function's memory in the expression below. The stack fills it in."""

_LAMBDA = f"FILL(m_time,0)/1000*{MEMORY}/1024*{GB_SECOND:.10f}+FILL(m_calls,0)*{REQUEST:.7f}"
_DYNAMODB = f"FILL(m_writes,0)*{WRITE_UNITS}*{WRITE_UNIT:.9f}"

COST = Section(
    "What does it cost?",
    (
        Widget(
            "US dollars per hour, at list prices of us-east-1",
            Kind.STACKED,
            (
                Line(
                    "Lambda",
                    {"m_time": Metric("Duration", Source.LAMBDA), "m_calls": Metric("Invocations", Source.LAMBDA)},
                    _LAMBDA,
                ),
                Line("DynamoDB writes", {"m_writes": Metric("Operations")}, _DYNAMODB),
            ),
            unit="USD",
            width=12,
            period=HOUR,
        ),
        Widget(
            "Billed usage",
            Kind.GRAPH,
            (
                Line("invocations", {"m_invocations": Metric("Invocations", Source.LAMBDA)}),
                Line("seconds", {"m_seconds": Metric("Duration", Source.LAMBDA)}, "m_seconds/1000", right=True),
            ),
            unit="invocations",
            width=12,
            period=HOUR,
        ),
    ),
)
