"""Output streams that cannot end a command half-way, in any encoding."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mep import terminal
from mep.errors import UnavailableError, UsageError
from mep.output import Output, drawing, write_file

TEXT = 'a "résumé" … ✓ 😀 \udcff'


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The reading and the writing end of a pipe."""
    reading, writing = os.pipe()
    yield reading, writing
    for number in (reading, writing):
        with suppress(OSError):  # the test has closed it
            os.close(number)


def test_a_reader_that_has_gone_is_no_failure(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    output = Output(writing, "utf-8")
    os.close(reading)

    for _ in range(3):
        print("line" * 10_000, file=output.text, flush=True)

    assert output.finish() == ""


def test_a_full_disk_is_reported_once() -> None:
    with Path("/dev/full").open("wb") as full:
        output = Output(full.fileno(), "utf-8")
        for _ in range(3):
            print("line" * 10_000, file=output.text, flush=True)

        assert output.finish() == "No space left on device"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp437", "cp1252"])
def test_every_text_is_written_and_json_remains_json(encoding: str, pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    output = Output(writing, encoding)

    output.text.write(json.dumps(TEXT, ensure_ascii=False))

    assert output.finish() == ""
    assert json.loads(os.read(reading, 1000).decode(encoding)) == TEXT


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", "# + ~"), ("utf-8", "█ ✓ …")])
def test_tables_are_drawn_with_what_the_terminal_has(
    encoding: str, shown: str, pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = pipe
    output = Output(writing, encoding)
    monkeypatch.setattr("sys.stdout", output.text)

    screen = terminal.console()
    screen.print("█ ✓ …")
    screen.print(terminal.plain_table("name"))
    output.finish()

    lines = os.read(reading, 1000).decode(encoding).splitlines()
    assert lines[0] == shown
    assert "\\u" not in "".join(lines)


def test_a_closed_stream_has_nothing_to_draw_on() -> None:
    assert drawing(None) is None


def test_an_incomplete_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="/dev/full is incomplete: No space left on device"):
        write_file(Path("/dev/full"), "text")
    with pytest.raises(UsageError, match=r"cannot write .*: No such file or directory"):
        write_file(tmp_path / "nowhere" / "page.html", "text")
