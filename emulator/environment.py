"""What Lambda puts into a function's environment, and nothing else of this machine's."""

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ACCOUNT_ID = "000000000000"
REGION = "us-east-1"
# DynamoDB Local keeps separate data for each access key and region: everything local uses this one pair.
LOCAL_CREDENTIALS: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
}

PROJECT_ROOT = Path(__file__).resolve().parent.parent
SAMPLES = Path(__file__).with_name("samples")
"""A calendar and events to try things on."""


@dataclass(frozen=True, slots=True)
class FunctionConfig:
    """How a function is configured, as one would configure it on Lambda.

    Attributes:
        handler: The handler string, `package.module.function`.
        name: The function's name.
        memory_mb: Its memory size in MB. The function is told; nothing is enforced here.
        region: The region it believes to run in.
        credentials: The `AWS_*` variables of its role; the emulators accept any.
        settings: The function's own environment variables.
        python_path: Directories its code is imported from; the first is its task root.
    """

    handler: str = "handler.app.lambda_handler"
    name: str = "MarkEarningsProcessed"
    memory_mb: int = 128
    region: str = REGION
    credentials: Mapping[str, str] = field(default_factory=lambda: LOCAL_CREDENTIALS)
    settings: Mapping[str, str] = field(default_factory=dict)
    python_path: tuple[Path, ...] = (PROJECT_ROOT,)

    @property
    def arn(self) -> str:
        """The function's ARN."""
        return f"arn:aws:lambda:{self.region}:{ACCOUNT_ID}:function:{self.name}"

    @property
    def task_root(self) -> Path:
        """Where the code lies, and the working directory of the process."""
        return self.python_path[0]

    def environment(self, runtime_api: str) -> dict[str, str]:
        """Return the whole environment of a new function process.

        Args:
            runtime_api: `host:port` of its Runtime API.
        """
        return {
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_mb),
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}",
            "AWS_LAMBDA_RUNTIME_API": runtime_api,
            "AWS_REGION": self.region,
            "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
            "LAMBDA_TASK_ROOT": str(self.task_root),
            "LANG": "en_US.UTF-8",
            "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
            "PYTHONPATH": ":".join(map(str, self.python_path)),
            "TZ": ":UTC",
            "_HANDLER": self.handler,
            # A developer's ~/.aws must not reach the function: a Lambda sandbox has none.
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            **self.credentials,
            **self.settings,
        }


def new_trace_header(*, root: str | None = None, sampled: bool = True) -> str:
    """Return a trace header as Lambda makes one for an invocation.

    Args:
        root: The trace to stay in (`1-8hex-24hex`): the retries of an invocation share theirs.
        sampled: Whether the trace is recorded.
    """
    if root is None:
        root = f"1-{int(datetime.now(UTC).timestamp()):08x}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled={int(sampled)}"


def trace_root(header: str) -> str:
    """Return the `Root` of a trace header."""
    return dict(part.split("=", 1) for part in header.split(";"))["Root"]
