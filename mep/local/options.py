"""What `mep local` runs."""

from dataclasses import dataclass, field
from pathlib import Path

from emulator.environment import LOCAL_CREDENTIALS, REGION
from emulator.pipeline.model import AsyncInvokeConfig
from mep.local.faults import RequestedFault

DEFAULT_SPEED = 300.0


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What to run.

    Attributes:
        calendar: CSV file with the calendar (`emulator.calendar_csv.read_calendar`).
        events: JSON Lines file with one event per line; None for standard input.
        out: Directory for the results.
        endpoint_url: A running DynamoDB; None starts one. Existing rows are not changed.
        function_url: The runtime interface emulator of a running container; None runs the function here. The
            container's logs, spans, metrics and dead letters are not collected, and it must write to `endpoint_url`.
        workers: Number of function processes.
        timeout_s: The function's timeout in seconds.
        memory_mb: The function's memory size in MB; reported to the function, not enforced.
        speed: How many times faster than on AWS retry delays pass; Lambda waits one and two minutes.
        invoke: Lambda's configuration of asynchronous invocation.
        region: The region of DynamoDB and of the function.
        credentials: The `AWS_*` variables to sign with; emulators accept any.
        env: Further settings of the function: names and values.
        faults: The faults that the run shall have.
    """

    calendar: Path
    events: Path | None
    out: Path
    endpoint_url: str | None = None
    function_url: str | None = None
    workers: int = 2
    timeout_s: float = 30
    memory_mb: int = 128
    speed: float = DEFAULT_SPEED
    invoke: AsyncInvokeConfig = field(default_factory=AsyncInvokeConfig)
    region: str = REGION
    credentials: tuple[tuple[str, str], ...] = tuple(LOCAL_CREDENTIALS.items())
    env: tuple[tuple[str, str], ...] = ()
    faults: tuple[RequestedFault, ...] = ()
