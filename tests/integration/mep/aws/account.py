"""A fake AWS account without data, its failures, and `mep` as a process that calls it."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from emulator.environment import PROJECT_ROOT
from tests.support.aws_account import Call, Reply, error, no_stack, ok

SECRET = "SENTINEL-of-the-session-token"
ROLE = "arn:aws:iam::123456789012:role/its-name"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET}


def denied(code: str, message: str = f"{ROLE} is not authorized", status: int = 400) -> Reply:
    """Return an error response whose message names a role."""
    return error(code, message, status)


NOTHING: Mapping[str, Reply] = {
    "StartQuery": ok(queryId="q-1"),
    "GetQueryResults": ok(status="Complete", results=[]),
    "GetTraceSummaries": ok(TraceSummaries=[]),
    "BatchGetTraces": ok(Traces=[], UnprocessedTraceIds=[]),
    "Query": ok(Items=[], Count=0),
    "Scan": ok(Items=[], Count=0),
    "GetQueueAttributes": ok(
        Attributes={"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0"}
    ),
    "Invoke": ok(outcome="marked", correlation_id="c-1"),
    "DescribeStacks": no_stack("s"),
}
"""Empty results; the reply of every other operation is `{}`."""

PAGE = b"<html><body>Please log in to the network</body></html>"
FAILURES: Mapping[str, tuple[Reply, str, str]] = {
    # name: the reply, the reason, a part of the error line
    "denied": (denied("AccessDeniedException"), "access_denied", "AccessDeniedException at "),
    "expired": (denied("ExpiredTokenException", status=403), "expired_credentials", "set new ones"),
    "unknown key": (denied("UnrecognizedClientException", status=403), "invalid_credentials", "set new ones"),
    "signature": (
        denied("SignatureDoesNotMatch", f"The Canonical String should have been x-amz-security-token:{SECRET}", 403),
        "invalid_credentials",
        "SignatureDoesNotMatch at ",
    ),
    "clock": (
        denied("InvalidSignatureException", "Signature expired: 20261126T000000Z is now earlier than", 403),
        "clock",
        "check this machine's clock",
    ),
    "throttled": (denied("ThrottlingException", "Rate exceeded"), "throttled", "try again in a minute"),
    "broken": (denied("InternalServerError", "we failed", 500), "service_error", "try again in a minute"),
    "login page": (Reply(200, PAGE), "unreadable_reply", "but not as AWS does"),
    "forbidding proxy": (Reply(403, PAGE), "unreadable_reply", "HTTP status 403, and not as AWS does"),
    "no such method": (Reply(501, PAGE), "unreadable_reply", "HTTP status 501, and not as AWS does"),
    "full front end": (Reply(503, PAGE), "service_error", "HTTP status 503, and not as AWS does"),
    "another API": (Reply(200, b'{"error": "who are you?"}'), "unreadable_reply", "but not as AWS does"),
    "other JSON": (Reply(200, b'["hello"]'), "unreadable_reply", "but not as AWS does"),
    "no value": (Reply(200, b"null"), "unreadable_reply", "but not as AWS does"),
    "hangs up": (Reply(0, b""), "network", "closed the connection"),
    "not there": (denied("ResourceNotFoundException", "no such thing"), "not_found", "ResourceNotFoundException at "),
}


@dataclass
class Account:
    """An account with one reply per operation.

    Attributes:
        replies: The reply of each operation; `*` for all others.
        calls: The calls so far.
    """

    replies: dict[str, Reply] = field(default_factory=lambda: dict(NOTHING))
    calls: list[Call] = field(default_factory=list)

    def respond(self, call: Call) -> Reply:
        """Record a call and return its reply."""
        self.calls.append(call)
        return self.replies.get(call.operation) or self.replies.get("*") or ok()

    def operations(self) -> set[str]:
        """Return the operations that were called."""
        return {call.operation for call in self.calls}


@dataclass(frozen=True)
class Result:
    """The result of a command.

    Attributes:
        status: Its exit status.
        out: Its standard output.
        err: Its standard error.
    """

    status: int
    out: str
    err: str

    @property
    def error_line(self) -> str:
        """The error, which is the last line."""
        lines = self.err.splitlines()
        assert lines, "standard error is empty"
        assert all(line.startswith("mep: ") for line in lines), self.err
        return lines[-1]


Run = Callable[..., Result]


def bare_environment(home: Path) -> dict[str, str]:
    """Return an environment like that of `env -i`."""
    return {"PATH": os.defpath, "HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true"}


def mep_process(home: Path, arguments: tuple[str, ...], variables: Mapping[str, str]) -> Result:
    """Run `mep` as a process with no other variables, as `env -i` does."""
    command = [str(Path(sys.executable).with_name("mep")), *arguments]
    environment = bare_environment(home) | dict(variables)
    done = subprocess.run(
        command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    return checked(Result(done.returncode, done.stdout, done.stderr))


def checked(ended: Result) -> Result:
    """Check what holds of every command."""
    assert "Traceback" not in ended.err, ended.err
    assert SECRET not in ended.out + ended.err
    return ended
