"""An AWS account on loopback that knows nothing, or fails as it is told; and `mep` as a process beside it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.environment import PROJECT_ROOT
from emulator.http_server import LoopbackServer, QuietHandler

SECRET = "SENTINEL-of-the-session-token"
ROLE = "arn:aws:iam::123456789012:role/its-name"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET}
_PATHS = {"/TraceSummaries": "GetTraceSummaries", "/Traces": "BatchGetTraces"}


@dataclass(frozen=True)
class Reply:
    """What the account answers.

    Attributes:
        status: of HTTP; 0 hangs up instead.
        body: as it goes over the wire.
        error: for the header that names an error.
    """

    status: int
    body: bytes
    error: str = ""


def ok(**members: Any) -> Reply:
    return Reply(200, json.dumps(members).encode())


def error(code: str, message: str = f"{ROLE} is not authorized", status: int = 400) -> Reply:
    return Reply(status, json.dumps({"__type": f"com.amazonaws#{code}", "message": message}).encode(), code)


NOTHING: Mapping[str, Reply] = {
    "StartQuery": ok(queryId="q-1"),
    "GetQueryResults": ok(status="Complete", results=[]),
    "GetTraceSummaries": ok(TraceSummaries=[]),
    "BatchGetTraces": ok(Traces=[], UnprocessedTraceIds=[]),
    "Query": ok(Items=[], Count=0),
    "GetQueueAttributes": ok(
        Attributes={"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0"}
    ),
    "Invoke": ok(outcome="marked", correlation_id="c-1"),
}
"""Every question answered, with nothing; what is not named here is answered `{}`."""

PAGE = b"<html><body>Please log in to the network</body></html>"
FAILURES: Mapping[str, tuple[Reply, str, str]] = {
    # name: what is answered, the reason, words of the one line
    "denied": (error("AccessDeniedException"), "access_denied", "AccessDeniedException at "),
    "expired": (error("ExpiredTokenException", status=403), "expired_credentials", "set new ones"),
    "unknown key": (error("UnrecognizedClientException", status=403), "invalid_credentials", "set new ones"),
    "signature": (
        error("SignatureDoesNotMatch", f"The Canonical String should have been x-amz-security-token:{SECRET}", 403),
        "invalid_credentials",
        "SignatureDoesNotMatch at ",
    ),
    "clock": (
        error("InvalidSignatureException", "Signature expired: 20261126T000000Z is now earlier than", 403),
        "clock",
        "check this machine's clock",
    ),
    "throttled": (error("ThrottlingException", "Rate exceeded"), "throttled", "try again in a minute"),
    "broken": (error("InternalServerError", "we failed", 500), "service_error", "try again in a minute"),
    "login page": (Reply(200, PAGE), "unreadable_reply", "but not as AWS does"),
    "forbidding proxy": (Reply(403, PAGE), "unreadable_reply", "HTTP status 403, and not as AWS does"),
    "no such method": (Reply(501, PAGE), "unreadable_reply", "HTTP status 501, and not as AWS does"),
    "full front end": (Reply(503, PAGE), "service_error", "HTTP status 503, and not as AWS does"),
    "another API": (Reply(200, b'{"error": "who are you?"}'), "unreadable_reply", "but not as AWS does"),
    "other JSON": (Reply(200, b'["hello"]'), "unreadable_reply", "but not as AWS does"),
    "hangs up": (Reply(0, b""), "network", "closed the connection"),
    "not there": (error("ResourceNotFoundException", "no such thing"), "not_found", "ResourceNotFoundException at "),
}


@dataclass
class Account:
    """What is answered, and what was asked.

    Attributes:
        replies: by operation; `*` for all the others.
        asked: operation, the region and the service that it was signed for, its user agent.
    """

    replies: dict[str, Reply] = field(default_factory=lambda: dict(NOTHING))
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)

    def answer(self, operation: str) -> Reply:
        return self.replies.get(operation) or self.replies.get("*") or ok()

    def operations(self) -> set[str]:
        return {operation for operation, *_ in self.asked}


@contextmanager
def serving(account: Account) -> Iterator[str]:
    """Run the account; yields its URL, for `AWS_ENDPOINT_URL`."""

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            body = self.read_body()
            operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2] or _PATHS.get(self.path, "")
            if not operation:
                action = re.search(rb"Action=(\w+)", body)
                operation = action[1].decode() if action else "Invoke"
            scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/", self.headers["Authorization"] or "")
            region, service = scope.groups() if scope else ("", "")  # what is asked with a login is not signed
            account.asked.append((operation, region, service, self.headers["User-Agent"]))
            reply = account.answer(operation)
            if not reply.status:
                self.close_connection = True
                return
            headers = {"x-amzn-ErrorType": reply.error} if reply.error else {}
            self.respond(reply.status, reply.body, {**headers, "Content-Type": "application/x-amz-json-1.0"})

        do_GET = do_POST

    with LoopbackServer(Handler) as server:
        yield server.url


@dataclass(frozen=True)
class Result:
    """A process that is over.

    Attributes:
        status: its exit status.
        out, err: what it printed.
    """

    status: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line of the error, which is the last."""
        lines = self.err.splitlines()
        assert lines, "standard error is empty"
        assert all(line.startswith("mep: ") for line in lines), self.err
        return lines[-1]


Run = Callable[..., Result]


def bare_environment(home: Path) -> dict[str, str]:
    """What `env -i` leaves, and what a process cannot do without."""
    return {"PATH": os.defpath, "HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true"}


def mep_process(home: Path, arguments: tuple[str, ...], variables: Mapping[str, str]) -> Result:
    """Run `mep` with nothing in its environment but what is given, as `env -i` does."""
    command = [str(Path(sys.executable).with_name("mep")), *arguments]
    environment = bare_environment(home) | dict(variables)
    done = subprocess.run(
        command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    return checked(Result(done.returncode, done.stdout, done.stderr))


def checked(ended: Result) -> Result:
    """What holds of every command."""
    assert "Traceback" not in ended.err, ended.err
    assert SECRET not in ended.out + ended.err
    return ended
