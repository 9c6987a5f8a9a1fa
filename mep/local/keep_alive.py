"""`mep local --keep`: the stack stays when the events are through, for `mep dlq` and every other AWS SDK."""

import contextlib
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from emulator.pipeline.api import BUS, serve_event_bus
from emulator.pipeline.pipeline import InputEvent
from handler.contract import AUDIT, CALENDAR
from mep.errors import UsageError
from mep.local.run import CompletedRun
from mep.local.run_files import ENV_FILE

_LOOK_SECONDS = 0.5

type Wait = Callable[[Callable[[], None]], None]
"""Returns when the stack may go; calls what it is given now and then meanwhile."""


def wait_for_interrupt(meanwhile: Callable[[], None]) -> None:
    """Wait for Ctrl-C or SIGTERM, either of which is the usual end and no error."""
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        while True:
            meanwhile()
            time.sleep(_LOOK_SECONDS)


class KeepAlive:
    """Keeps a run's DynamoDB, queue, bus and function at work, and says how to reach them.

    What comes in meanwhile, redriven events above all, goes through the chain and counts in the run. The run's files
    hold it within a second; `dlq.jsonl`, `calendar.jsonl` and `audit.jsonl` are written at the end.

    Args:
        out: The run's directory; `kept.env` is there for as long as the stack is.
        credentials: What to sign with; empty where they are the user's own, which belong in no file.
        say: Told what to do now.
        wait: Returns when it is over.
    """

    def __init__(
        self, out: Path, credentials: Mapping[str, str], say: Callable[[str], None], wait: Wait = wait_for_interrupt
    ) -> None:
        self._file = out / ENV_FILE
        self._credentials = credentials
        self._say = say
        self._wait = wait

    def __call__(self, run: CompletedRun) -> None:
        """Keep the stack of `run` until it is told to go.

        Raises:
            ServiceError: The bus did not start.
            UsageError: The file cannot be written.
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
                "ENVIRONMENT": "local",
                "EVENT_BUS_NAME": BUS,
            }
            lines = (f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
            try:
                self._file.write_text("".join(lines), encoding="utf-8")
            except OSError as error:
                raise UsageError(f"cannot write {self._file}: {error.strerror}") from error
            try:
                self._say("all events are through; everything stays as it is until Ctrl-C. In another terminal:")
                self._say(f"  source {self._file} && uv run mep dlq list")
                run.pipeline.run(self._wait_until_interrupted(run.flush))
            finally:
                self._file.unlink(missing_ok=True)

    def _wait_until_interrupted(self, meanwhile: Callable[[], None]) -> Iterator[InputEvent]:
        """An input of no events that does not end before it is told to."""
        self._wait(meanwhile)
        yield from ()
