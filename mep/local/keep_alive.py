"""`mep local --keep`: the services keep running after the last event, for `mep dlq`, `mep invoke` and AWS SDKs."""

import contextlib
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from emulator.pipeline.api import serve_event_bus
from emulator.pipeline.pipeline import InputEvent
from handler.contract import AUDIT, BUS, CALENDAR
from mep.interrupts import INTERRUPTS
from mep.local.run import CompletedRun
from mep.local.run_files import ENV_FILE
from mep.output import write_file
from mep.program import program

_FLUSH_SECONDS = 0.5

type Wait = Callable[[Callable[[], None]], None]
"""Returns when the run may end; calls its argument regularly until then."""


def wait_for_interrupt(flush: Callable[[], None]) -> None:
    """Wait for Ctrl-C or SIGTERM; neither is an error. Call `flush` regularly."""
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            flush()
            time.sleep(_FLUSH_SECONDS)
    INTERRUPTS.accept()


def commands(env_file: Path, function: str) -> tuple[str, ...]:
    """Return what can be done while the services run, for a shell.

    Args:
        env_file: The path of `kept.env`.
        function: The function's name.
    """
    source = f"source {shlex.quote(str(env_file))}"
    return f"{source} && {program()} dlq list", f"{source} && {program()} invoke EVENT.json --url {function}"


class KeepAlive:
    """Keeps a run's DynamoDB, queue, bus and function running, and prints how to reach them.

    Events that arrive meanwhile, such as redriven ones, are delivered and counted in the run. The run's files have them
    within a second; `dlq.jsonl`, `calendar.jsonl` and `audit.jsonl` are written at the end.

    Args:
        out: The run's directory; `kept.env` exists for as long as the services run.
        credentials: The `AWS_*` variables for `kept.env`; empty where they are the user's own, which belong in no file.
        announce: Prints a line for the user.
        wait: Returns when the run may end.
    """

    def __init__(
        self,
        out: Path,
        credentials: Mapping[str, str],
        announce: Callable[[str], None],
        wait: Wait = wait_for_interrupt,
    ) -> None:
        self._file = out / ENV_FILE
        self._credentials = credentials
        self._announce = announce
        self._wait = wait

    def __call__(self, run: CompletedRun) -> None:
        """Keep the services of `run` running until `wait` returns.

        Raises:
            EmulatorError: The bus did not start.
            UsageError: `kept.env` cannot be written.
            UnavailableError: `kept.env` is incomplete.
        """
        with serve_event_bus(run.pipeline) as bus_url:
            variables = {
                "AWS_REGION": run.queue.region,
                "AWS_DEFAULT_REGION": run.queue.region,
                **self._credentials,
                "AWS_ENDPOINT_URL_DYNAMODB": run.dynamodb_url,
                "AWS_ENDPOINT_URL_EVENTBRIDGE": bus_url,
                "AWS_ENDPOINT_URL_LAMBDA": bus_url,
                "AWS_ENDPOINT_URL_SQS": run.queue.url,
                "DEAD_LETTER_QUEUE_URL": run.queue.queue_url,
                AUDIT.variable: AUDIT.default,
                CALENDAR.variable: CALENDAR.default,
                "ENVIRONMENT": run.function.settings["ENVIRONMENT"],
                "EVENT_BUS_NAME": BUS,
            }
            lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
            if self._credentials:  # local ones: a profile of the user, which may be stale, has no say
                lines.append("unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN AWS_CREDENTIAL_EXPIRATION\n")
                lines += [f"export {name}=/dev/null\n" for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")]
            write_file(self._file, "".join(lines))
            try:
                self._announce("all events are delivered; the services run until Ctrl-C. In another terminal:")
                for command in commands(self._file, run.function.name):
                    self._announce(f"  {command}")
                run.pipeline.run(self._wait_until_interrupted(run.flush))
            finally:
                self._file.unlink(missing_ok=True)

    def _wait_until_interrupted(self, flush: Callable[[], None]) -> Iterator[InputEvent]:
        """Yield no event, and end when `wait` returns: the pipeline accepts redriven events until then."""
        self._wait(flush)
        yield from ()
