"""The target of a measurement: a handler's module, its interpreter and its environment variables."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NO_HANDLER = "-"
TELEMETRY_LINES = "telemetry_lines"
"""The key of the count of lines of standard output that are telemetry."""

MEMORY_SIZE_MB = "1024"
"""Memory size of the function. Under valgrind, a process takes several times its memory: with 128 MB, the function
would be under memory pressure and drop optional detail of its spans.
"""

LAYER_WRAPPER = str(ROOT / "deploy/image/layer/otel-instrument")
"""The image's script in `AWS_LAMBDA_EXEC_WRAPPER`."""

# https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html#snapstart-credentials, and
# https://docs.aws.amazon.com/lambda/latest/dg/snapstart-monitoring.html
_SNAP_START = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "snapshot"}
_NOT_IN_A_SNAPSHOT = frozenset(
    {
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"),
    }
)


@dataclass(frozen=True)
class Certificates:
    """Files for TLS on loopback.

    Attributes:
        server: The private key and certificate of the stub, PEM.
        bundle: The CA bundle of the measured function, PEM.
    """

    server: Path
    bundle: Path


@dataclass(frozen=True)
class Ports:
    """The stub's ports on loopback."""

    http: int
    udp: int
    credentials: int = 0


@dataclass(frozen=True)
class Target:
    """One handler in one environment.

    Attributes:
        module: The handler's module, or `NO_HANDLER`.
        python: The interpreter of its environment.
        environ: Variables in addition to Lambda's; `{http}` and `{udp}` in a value become the stub's ports.
        path: Directories that Python searches first.
        launched: Whether `opentelemetry-instrument` launches each process; it is counted.
        wrapper: A script as in `AWS_LAMBDA_EXEC_WRAPPER`; it is not counted. Empty for none.
        sends: What must be counted at least once per event: the key of a stub's count, or `TELEMETRY_LINES`; empty for
            no telemetry.
        telemetry_line: A text that lines of standard output contain if they are telemetry, and no others; empty if the
            target writes none.
        certificates: For requests over TLS.
        restored: Whether the first event comes after a restore from a snapshot.
        primed: Whether the hooks before the snapshot run.
    """

    module: str
    python: str = sys.executable
    environ: Mapping[str, str] = field(default_factory=dict)
    path: tuple[str, ...] = ()
    launched: bool = False
    wrapper: str = ""
    sends: str = ""
    telemetry_line: str = ""
    certificates: Certificates | None = None
    restored: bool = False
    primed: bool = True

    def variables(self, ports: Ports, home: str) -> dict[str, str]:
        """Return Lambda's environment variables and none of the caller's, which would change the result.

        Args:
            ports: The ports of the stub.
            home: An empty directory.
        """
        endpoint = f"{'https' if self.certificates else 'http'}://127.0.0.1:{ports.http}"
        trusted = {"AWS_CA_BUNDLE": str(self.certificates.bundle)} if self.certificates else {}
        variables = {
            "PATH": os.defpath,
            "HOME": home,
            "LANG": "C.UTF-8",
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": os.pathsep.join([*self.path, str(ROOT)]),
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "AWS_SESSION_TOKEN": "session",
            "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
            "AWS_ENDPOINT_URL_SQS": endpoint,
            "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{ports.udp}",
            "AWS_LAMBDA_FUNCTION_NAME": "mark-earnings-processed",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": MEMORY_SIZE_MB,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/mark-earnings-processed",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/02/03/[1]5f2b0c",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "LAMBDA_TASK_ROOT": str(ROOT),
            "_HANDLER": f"{self.module}.lambda_handler",
            "EARNINGS_CALENDAR_TABLE": "earningsCalendar",
            "EARNINGS_AUDIT_TABLE": "earningsAudit",
            "DEAD_LETTER_QUEUE_URL": f"{endpoint}/123456789012/mark-earnings-processed-dlq",
            "OTEL_SERVICE_NAME": "mark-earnings-processed",
            **trusted,
            **{name: value.format(http=ports.http, udp=ports.udp) for name, value in self.environ.items()},
        }
        if self.restored:
            variables |= _SNAP_START | {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{ports.credentials}/credentials",
                **({} if self.primed else {"BENCH_NOT_PRIMED": "1"}),
            }
            variables = {name: value for name, value in variables.items() if name not in _NOT_IN_A_SNAPSHOT}
        return variables
