"""docs/tutorial.md: its commands run in their order and print what it shows.

The commands of `mep` run in this process, on the DynamoDB and the queue of all tests; the shell runs the others. The
demo has a test of its own, which compares what README.md and the tutorial show of it.
"""

import os
import shlex
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from emulator.environment import PROJECT_ROOT
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.sqs import QueueEndpoint, create_queue
from mep.local import keep_alive, stack
from tests.support.command_line import mep
from tests.support.shown_output import Block, blocks, matches
from tests.support.stores import delete_run_tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TUTORIAL = (PROJECT_ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
_END = "Press Ctrl-C in the first terminal"
_MEP = "uv run mep "


@pytest.fixture(autouse=True)
def services(
    dynamodb_endpoint: DynamoDBEndpoint,
    dynamodb_client: "DynamoDBClient",
    queue_endpoint: QueueEndpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each run has an empty database and an empty queue, as if it had started them."""

    @contextmanager
    def dynamodb(**_: object) -> Iterator[DynamoDBEndpoint]:
        delete_run_tables(dynamodb_client)
        yield dynamodb_endpoint

    @contextmanager
    def queue(region: str) -> Iterator[QueueEndpoint]:
        yield create_queue(queue_endpoint.url, f"tutorial-{os.urandom(4).hex()}", region)

    monkeypatch.setattr(stack, "dynamodb", dynamodb)
    monkeypatch.setattr(stack, "queue_service", queue)


class Reader:
    """Runs the page, from block to block.

    Args:
        page: The blocks of the page.
        monkeypatch: Sets the variables that a block reads from a file.
        capsys: What the commands print.

    Attributes:
        commands: The number of commands of `mep` that were run.
        different: What the page shows and what was printed instead.
    """

    def __init__(
        self, page: Sequence[Block], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._blocks = iter(page)
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self._next: Block | None = next(self._blocks)
        self.commands = 0
        self.different: list[str] = []

    def read(self, *, until: str | None = None) -> None:
        """Run the blocks up to the end of the page, or to the one that a text is before."""
        while (block := self._next) is not None and not (until and until in block.before):
            self._next = next(self._blocks, None)
            if block.language == "sh":
                self._run(block.text)
            else:
                self._compare(block.text)

    def beside(self, flush: Callable[[], None]) -> None:
        """Run the blocks for a second terminal, while the services of `mep local --keep` run."""
        flush()
        self.read(until=_END)
        flush()

    def _run(self, commands: str) -> None:
        self._capsys.readouterr()
        shell: list[str] = []
        for line in commands.splitlines():
            if not line.startswith(_MEP):
                shell.append(line)
                continue
            self._in_shell(shell)
            self.commands += 1
            arguments = shlex.split(os.path.expandvars(line.removeprefix(_MEP)))
            assert mep(self._monkeypatch, *arguments) == 0, self._capsys.readouterr().err
        self._in_shell(shell)

    def _in_shell(self, lines: list[str]) -> None:
        """Run lines in a shell, and set the variables that they set."""
        if lines:
            script = "\n".join([*lines, "env -0"])
            command = ["bash", "-euc", script]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
            after = dict(line.partition("=")[::2] for line in done.stdout.split("\0") if line)
            for name in os.environ.keys() - after.keys():
                self._monkeypatch.delenv(name)
            for name in after.keys() - {"_", "SHLVL", "PWD", "OLDPWD"}:
                if os.environ.get(name) != after[name]:
                    self._monkeypatch.setenv(name, after[name])
        lines.clear()

    def _compare(self, shown: str) -> None:
        printed = "".join(self._capsys.readouterr())
        # No assertion here: beside a kept run, `mep local` would report it as a defect of its own.
        if not matches(shown, printed):
            self.different.append(f"the page shows\n{shown}\nprinted was\n{printed}")


@pytest.mark.timeout(600)
def test_the_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    page = blocks(TUTORIAL.partition("## 2.")[2])
    reader = Reader(page, monkeypatch, capsys)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mep.program.program", lambda: "mep")
    monkeypatch.setattr("mep.explorer.opening.show", lambda _: None)
    monkeypatch.setattr(keep_alive, "KeepAlive", partial(keep_alive.KeepAlive, wait=reader.beside))

    reader.read()

    assert not reader.different, "\n".join(reader.different)
    assert reader.commands >= 10
    assert reader.commands == TUTORIAL.count(f"\n{_MEP}")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (" marked 2 the row\n...\n+4 ms waiting after attempt 2 for 3.1 s", True),
        (" marked 2 the row\n...\n", True),
        (" marked 3 the row\n...\n", False),
        (" marked 2 the row", False),
        ("...\nthe row is duplicate\n...", False),
    ],
)
def test_a_difference_is_seen(shown: str, expected: bool) -> None:
    real = "marked  2  the\n  row\nspans 7\n +12.5 ms ~~~~ waiting after attempt 2 for 12 ms"
    assert matches(shown, real) == expected
