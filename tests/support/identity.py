"""AWS's identity services on loopback: STS, IAM Identity Center (SSO, OIDC), and both kinds of metadata endpoint."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from emulator.environment import LOCAL_CREDENTIALS
from emulator.faults import Fault, FaultProxy, Reply, Request
from emulator.http_server import LoopbackServer, QuietHandler

ACCESS_KEY = LOCAL_CREDENTIALS["AWS_ACCESS_KEY_ID"]
"""Of whatever is handed out: DynamoDB Local keeps separate data for each access key."""

ACCOUNT = "111122223333"
SECRET = "S3NT1N3L/secret"
SESSION = "S3NT1N3L//session"
ACCESS_TOKEN = "S3NT1N3L-access-token"
NEW_ACCESS_TOKEN = "S3NT1N3L-new-access-token"
REFRESH_TOKEN = "S3NT1N3L-refresh-token"
METADATA_TOKEN = "S3NT1N3L-metadata-token"
WEB_IDENTITY = "S3NT1N3L.web.identity"

_XML = {"Content-Type": "text/xml"}
_JSON = {"Content-Type": "application/json"}


def later(**delta: float) -> str:
    """A time from now on, as AWS writes it."""
    return f"{datetime.now(UTC) + timedelta(**delta):%Y-%m-%dT%H:%M:%SZ}"


def identity_services() -> FaultProxy:
    """All of them at one address; the proxy's script says what goes wrong."""
    return FaultProxy(
        "http://127.0.0.1:1", otherwise=Fault("identity", lambda exchange: exchange.reply(_answer(exchange.request)))
    )


def parameters(request: Request) -> dict[str, str]:
    """What a request to STS asks for."""
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


def operation(request: Request) -> str:
    """What a request asks for: STS's action, else method and path."""
    return parameters(request).get("Action") or f"{request.method} {urlsplit(request.path).path}"


def sts_error(code: str, status: int) -> Fault:
    """An error reply of STS."""
    error = f"<Type>Sender</Type><Code>{code}</Code><Message>S3NT1N3L</Message>"
    reply = Reply(status, f"<ErrorResponse><Error>{error}</Error></ErrorResponse>".encode(), _XML)
    return Fault(code, lambda exchange: exchange.reply(reply))


def json_error(code: str, status: int) -> Fault:
    """An error reply of SSO and OIDC."""
    reply = Reply(status, b'{"message": "S3NT1N3L"}', _JSON | {"x-amzn-ErrorType": code})
    return Fault(code, lambda exchange: exchange.reply(reply))


@contextmanager
def identity_services_over_tls(certificate: Path) -> Iterator[str]:
    """All of them again, over TLS: their URL.

    Args:
        certificate: PEM, with its key, for 127.0.0.1.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            self.wfile.write(bytes(_answer(Request("POST", self.path, {}, self.read_body()))))

    with LoopbackServer(Handler, tls=context) as server:
        yield server.url


def _answer(request: Request) -> Reply:
    asked = operation(request)
    answers: dict[str, Any] = {
        "GET /federation/credentials": {
            "roleCredentials": {
                "accessKeyId": ACCESS_KEY,
                "secretAccessKey": SECRET,
                "sessionToken": SESSION,
                "expiration": int((datetime.now(UTC).timestamp() + 3600) * 1000),
            }
        },
        "POST /token": {"accessToken": NEW_ACCESS_TOKEN, "expiresIn": 28800, "refreshToken": REFRESH_TOKEN},
        "GET /container": _keys("Token"),
        "GET /latest/meta-data/iam/security-credentials/a-role": {"Code": "Success", **_keys("Token")},
    }
    if asked.startswith("AssumeRole"):
        return Reply(200, _assumed(asked, parameters(request)["RoleArn"]).encode(), _XML)
    if asked == "PUT /latest/api/token":
        return Reply(200, METADATA_TOKEN.encode())
    if asked == "GET /latest/meta-data/iam/security-credentials/":
        return Reply(200, b"a-role")
    if asked in answers:
        return Reply(200, json.dumps(answers[asked]).encode(), _JSON)
    return Reply(404, b"")


def _keys(token: str) -> dict[str, str]:
    return {"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET, token: SESSION, "Expiration": later(hours=1)}


def _assumed(action: str, role: str) -> str:
    keys = "".join(f"<{name}>{value}</{name}>" for name, value in _keys("SessionToken").items())
    user = f"<Arn>{role.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/session</Arn>"
    result = f"<Credentials>{keys}</Credentials><AssumedRoleUser>{user}</AssumedRoleUser>"
    return (
        f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<{action}Result>{result}</{action}Result></{action}Response>"
    )
