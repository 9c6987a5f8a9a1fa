"""Reads and writes what the two tables have about a reserved row. The reads are consistent."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from emulator.services.tables import plain_item
from handler.contract import AUDIT
from mep.verify.account import Account
from monitoring import probe

type Row = Mapping[str, Any]
type Entries = tuple[Mapping[str, Any], ...]
"""Audit entries, in order."""


def read_row(account: Account, client: Any, key: Mapping[str, str]) -> Row | None:
    """Return a row of the calendar; None if there is none.

    Args:
        account: What is verified.
        client: boto3 client of DynamoDB.
        key: The key of the row.
    """
    item = {name: {"S": value} for name, value in key.items()}
    reply = client.get_item(TableName=account.target.calendar_table, Key=item, ConsistentRead=True)
    return plain_item(reply["Item"]) if "Item" in reply else None


def read_entries(account: Account, client: Any, audit_key: str) -> Entries:
    """Return the audit entries of a row.

    Args:
        account: What is verified.
        client: boto3 client of DynamoDB.
        audit_key: Their partition key.
    """
    entries: list[Mapping[str, Any]] = []
    pages = client.get_paginator("query").paginate(
        TableName=account.target.audit_table,
        KeyConditionExpression="#key = :key",
        ExpressionAttributeNames={"#key": AUDIT.key[0]},
        ExpressionAttributeValues={":key": {"S": audit_key}},
        ConsistentRead=True,
    )
    for page in pages:
        entries += map(plain_item, page["Items"])
    return tuple(entries)


def transact(client: Any, parameters: Mapping[str, Any]) -> bool:
    """Write a transaction; return False if a condition failed, and nothing was written.

    Args:
        client: boto3 client of DynamoDB.
        parameters: Those of `TransactWriteItems`.
    """
    try:
        client.transact_write_items(**parameters)
    except ClientError as error:
        if not probe.was_faster(error.response):
            raise
        return False
    return True
