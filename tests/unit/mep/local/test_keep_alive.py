"""What `mep local --keep` prints."""

import shlex
from pathlib import Path

from mep.local.keep_alive import commands


def test_commands_quote_a_path_with_a_blank() -> None:
    path = "my runs/out/kept.env"

    for command in commands(Path(path), "MarkEarningsProcessed"):
        assert shlex.split(command)[:3] == ["source", path, "&&"]
