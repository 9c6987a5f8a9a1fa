"""A documented session with `mep local --keep`, run as it is written: in one shell, in another, and afterwards.

The run that is kept is a process. The commands beside it run in this process, which takes a tenth of the CPU time.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from emulator.clients import loopback_client
from emulator.environment import PROJECT_ROOT
from tests.support.command_line import mep
from tests.support.stores import delete_run_tables

_STARTED_SECONDS = 240
_MEP = "uv run mep "


class DocumentedSession:
    """Runs sessions.

    Args:
        folder: Replaces the directory of `out/`.
        dynamodb_url: A DynamoDB that other tests may use, too.
    """

    def __init__(
        self, folder: Path, dynamodb_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._folder = folder
        self._dynamodb_url = dynamodb_url
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def run(self, text: str, region: str, *, marked: str) -> tuple[str, str]:
        """Run the first command in one shell, the next block in another, Ctrl-C in the first, then the last block.

        Args:
            text: The part of the page, with these three blocks.
            region: A region of no other test, where DynamoDB has other tables.
            marked: The correlation ID of an event that is redriven: Ctrl-C comes after its mark, as a reader's does.

        Returns:
            Standard output of the second and of the last block.
        """
        with closing(loopback_client("dynamodb", self._dynamodb_url, region)) as client:
            delete_run_tables(client)  # another test may have drawn the same region
        first, *blocks = re.findall(r"(?:^    .+\n)+", text, re.MULTILINE)
        beside, afterwards = blocks
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            self._monkeypatch.setenv(name, region)
        program = str(Path(sys.executable).with_name("mep"))
        command = [program, *self._words(first), "--endpoint-url", self._dynamodb_url]
        with subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as kept:
            try:
                begun = time.monotonic()
                while not (self._folder / "out" / "kept.env").exists() and time.monotonic() - begun < _STARTED_SECONDS:
                    assert kept.poll() is None, kept.communicate()
                    time.sleep(0.05)
                shown = self._block(beside)
                while not self._is_marked(marked) and time.monotonic() - begun < _STARTED_SECONDS:
                    time.sleep(0.05)
            finally:
                kept.send_signal(signal.SIGINT)
                kept.communicate(timeout=60)
        assert kept.returncode == 0
        return shown, self._block(afterwards)

    def _is_marked(self, correlation_id: str) -> bool:
        whole_lines = (self._folder / "out" / "logs.jsonl").read_text().rpartition("\n")[0].splitlines()
        lines = [json.loads(line) for line in whole_lines]
        return ("marked", correlation_id) in [(line.get("outcome"), line.get("correlation_id")) for line in lines]

    def _block(self, block: str) -> str:
        """Run a block to its end, and return its standard output."""
        self._capsys.readouterr()
        shown = ""
        with self._monkeypatch.context() as patch:
            patch.chdir(PROJECT_ROOT)
            for line in map(str.strip, block.splitlines()):
                if line.startswith("source "):
                    for name, value in self._sourced(line).items():
                        patch.setenv(name, value)
                    continue
                status = mep(patch, *self._words(line))
                output = self._capsys.readouterr()
                assert status == 0, output.out + output.err
                shown += output.out
        return shown

    def _words(self, line: str) -> list[str]:
        """Return the arguments of a command of `mep`."""
        line = line.strip()
        assert line.startswith(_MEP), line
        return shlex.split(os.path.expandvars(self._moved(line).removeprefix(_MEP)))

    def _sourced(self, line: str) -> dict[str, str]:
        """Return the environment after a file was sourced."""
        script = ["bash", "-euo", "pipefail", "-c", f"{self._moved(line)}; env -0"]
        ended = subprocess.run(script, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
        return dict(variable.split("=", 1) for variable in ended.stdout.split("\0") if variable)

    def _moved(self, line: str) -> str:
        return re.sub(r"\bout/", f"{self._folder}/out/", line)
