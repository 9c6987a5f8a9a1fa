"""The API operations of a complete `mep verify --full`: a run makes them, and its role allows them."""

from collections.abc import Mapping

OPERATIONS: Mapping[str, frozenset[str]] = {
    "cloudwatch": frozenset({"DescribeAlarmHistory", "DescribeAlarms", "GetMetricData", "SetAlarmState"}),
    "dynamodb": frozenset({"GetItem", "PutItem", "Query", "TransactWriteItems"}),
    "events": frozenset({"ListRules", "ListTargetsByRule", "PutEvents", "TestEventPattern"}),
    "lambda": frozenset({"Invoke"}),
    "logs": frozenset({"GetQueryResults", "StartQuery"}),
    "sns": frozenset({"ListSubscriptionsByTopic"}),
    "sqs": frozenset({"DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "ReceiveMessage"}),
    "xray": frozenset({"BatchGetTraces", "GetTraceSummaries"}),
}
"""Operations by service, as boto3 names it. The command asks CloudFormation for the names before."""
