"""Starts queries of CloudWatch Logs Insights: what every reader of a log group does in the same way.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html
"""

from datetime import datetime, timedelta
from typing import Any

RUNNING = frozenset({"Scheduled", "Running", "Unknown"})
"""The states of a query that has not ended."""


def start_query(
    client: Any, log_group: str, text: str, *, since: timedelta, until: datetime, limit: int | None = None
) -> str:
    """Start a query of a log group, and return its ID.

    Args:
        client: boto3 client of CloudWatch Logs.
        log_group: The log group.
        text: The query.
        since: How far back to search.
        until: The end of the time that is searched, rounded up to a second.
        limit: The maximum number of results; None for that of the query.
    """
    response = client.start_query(
        logGroupName=log_group,
        startTime=int((until - since).timestamp()),
        endTime=int(until.timestamp()) + 1,
        queryString=text,
        **({} if limit is None else {"limit": limit}),
    )
    return str(response["queryId"])
