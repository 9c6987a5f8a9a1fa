"""Why DynamoDB throttles: the reasons in a response, in a form that is safe to export.

Imported by the first response that may have reasons: most sandboxes are never throttled.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from otel.record import MAX_REASONS

CANCELLED_FOR = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError"})
"""Reasons for which a transaction is cancelled because one of its items is throttled.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ThrottlingReason.html: a word such as
# TableWriteKeyRangeThroughputExceeded, and the ARN of a table or an index. Nothing else of a response is exported.
_REASON = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}\Z")
_NAME = r"[A-Za-z0-9_.-]{1,255}"
_ARN = re.compile(rf"arn:aws[a-z-]{{0,20}}:dynamodb:[a-z0-9-]{{1,32}}:[0-9]{{12}}:table/{_NAME}(?:/index/{_NAME})?\Z")


def throttling_reasons(response: Mapping[str, Any], tables: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the reasons for which DynamoDB throttled a request, each as `REASON RESOURCE`.

    Two errors have them in `ThrottlingReasons`, one in `throttlingReasons`. A cancelled transaction has a reason for
    each of its items instead; the resource is then the table of the item.

    Args:
        response: As botocore parsed it.
        tables: Tables of the transaction's items, in their order; of any other number, they are ignored.

    Returns:
        Distinct reasons, at most `MAX_REASONS`; `REASON` alone where the resource is missing or not an ARN.
    """
    named = [
        _text(entry.get("reason"), entry.get("resource"))
        for name in ("ThrottlingReasons", "throttlingReasons")
        for entry in _objects(response.get(name))
    ]
    codes = [str(item.get("Code")) for item in _objects(response.get("CancellationReasons"))]
    of_items = tables if len(tables) == len(codes) else [""] * len(codes)
    named += [f"{code} {table}".rstrip() for code, table in zip(codes, of_items, strict=True) if code in CANCELLED_FOR]
    return tuple(dict.fromkeys(text for text in named if text))[:MAX_REASONS]


def _objects(value: object) -> list[Mapping[str, Any]]:
    """Return the objects of a list, with an empty one for any other item, so that positions stay the same."""
    return [item if isinstance(item, Mapping) else {} for item in value] if isinstance(value, list) else []


def _text(reason: object, resource: object) -> str:
    if not isinstance(reason, str) or not _REASON.match(reason):
        return ""
    return f"{reason} {resource}" if isinstance(resource, str) and _ARN.match(resource) else reason
