"""The minimum: the same write with the standard library only, signed by hand (AWS Signature Version 4).

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
It has no retries, no timeouts, no error handling and no telemetry. It shows the cost of the one request, and is not a
model for a function.
"""

import hmac
import http.client
import json
import os
import uuid
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from bench.write import correlation_id, facts, is_duplicate, transaction

REGION = os.environ["AWS_REGION"]
KEY_ID = os.environ["AWS_ACCESS_KEY_ID"]
SECRET = os.environ["AWS_SECRET_ACCESS_KEY"]
TOKEN = os.environ["AWS_SESSION_TOKEN"]
SCHEME, _, HOST = os.environ["AWS_ENDPOINT_URL_DYNAMODB"].partition("://")
TARGET = "DynamoDB_20120810.TransactWriteItems"
CONTENT_TYPE = "application/x-amz-json-1.0"
SIGNED = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"

connection = http.client.HTTPConnection(HOST)
if SCHEME == "https":
    import ssl

    connection = http.client.HTTPSConnection(
        HOST, context=ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
    )


def _authorization(body: bytes, now: str) -> str:
    """The `Authorization` header of a request at this time (`YYYYMMDDTHHMMSSZ`)."""
    scope = f"{now[:8]}/{REGION}/dynamodb/aws4_request"
    canonical = (
        f"POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{HOST}\nx-amz-date:{now}\nx-amz-security-token:{TOKEN}\n"
        f"x-amz-target:{TARGET}\n\n{SIGNED}\n{sha256(body).hexdigest()}"
    )
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return f"AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope}, SignedHeaders={SIGNED}, Signature={signature}"


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Mark the event's calendar row and add an audit entry in one transaction."""
    at = datetime.now(UTC)
    now, stamp = at.isoformat(), at.strftime("%Y%m%dT%H%M%SZ")
    items = transaction(event, context, now)
    body = json.dumps({"TransactItems": items, "ClientRequestToken": str(uuid.uuid4())}).encode()
    headers = {
        "Content-Type": CONTENT_TYPE,
        "X-Amz-Date": stamp,
        "X-Amz-Security-Token": TOKEN,
        "X-Amz-Target": TARGET,
        "Authorization": _authorization(body, stamp),
    }
    connection.request("POST", "/", body, headers)
    response = connection.getresponse()
    reply = json.loads(response.read())
    outcome = "marked"
    if response.status != http.client.OK:
        if not is_duplicate(reply):
            raise RuntimeError(reply.get("__type", response.status))
        outcome = "duplicate"
    line = {"timestamp": now, "level": "INFO", "message": "event processed", **facts(event, context, outcome)}
    print(json.dumps(line))
    return {"outcome": outcome, "correlation_id": correlation_id(event)}
