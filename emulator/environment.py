"""The environment of a function process: Lambda's variables, and nothing else of this machine."""

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from handler.contract import DISPLAY_NAME

ACCOUNT_ID = "000000000000"
REGION = "us-east-1"
INVOCATION_PATH = "/2015-03-31/functions/function/invocations"
"""The path of Lambda's Runtime Interface Emulator."""

# DynamoDB Local separates data by access key and region: all local clients use this pair.
LOCAL_CREDENTIALS: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
}

PROJECT_ROOT = Path(__file__).resolve().parent.parent
SAMPLES = Path(__file__).with_name("samples")
"""A sample calendar and sample events."""

_NOT_WITH_SNAP_START = ("AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME")
"""https://docs.aws.amazon.com/lambda/latest/dg/snapstart-monitoring.html"""


@dataclass(frozen=True, slots=True)
class FunctionConfig:
    """The configuration of a function on Lambda.

    Attributes:
        handler: The handler string, `package.module.function`.
        memory_mb: The memory size in MB. The function reads it; nothing enforces it.
        region: The region in the function's environment.
        credentials: The `AWS_*` variables of the execution role; the emulators accept any.
        settings: The function's own environment variables.
        python_path: Directories of the function's code; the first is the task root.
    """

    handler: str = "handler.app.lambda_handler"
    name: str = DISPLAY_NAME
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
        """The directory of the code, which is the working directory of the process."""
        return self.python_path[0]

    def environment(self, runtime_api: str) -> dict[str, str]:
        """Return the whole environment of a new function process.

        Args:
            runtime_api: Host and port of the Runtime API.
        """
        variables = {
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
            # A Lambda sandbox has no ~/.aws: a developer's must not reach the function.
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            **self.credentials,
            **self.settings,
        }
        if variables["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start":
            for name in _NOT_WITH_SNAP_START:
                del variables[name]
        return variables


def new_trace_header(*, root: str | None = None, sampled: bool = True) -> str:
    """Return a trace header as Lambda generates one for an invocation.

    Args:
        root: The trace ID (`1-8hex-24hex`), which all attempts of an event share; None for a new one.
        sampled: Whether the trace is recorded.
    """
    if root is None:
        root = f"1-{int(datetime.now(UTC).timestamp()):08x}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled={int(sampled)}"


def trace_root(header: str) -> str:
    """Return the `Root` of a trace header."""
    return dict(part.split("=", 1) for part in header.split(";"))["Root"]
