"""A documented session with `mep local --keep`, run as it is written: in one shell, in another, and afterwards."""

import re
import shlex
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from emulator.environment import PROJECT_ROOT

_STARTED_SECONDS = 240


def run_session(text: str, folder: Path) -> tuple[str, str]:
    """Run the first command in one shell, the next block in another, Ctrl-C in the first, then the last block.

    Args:
        text: The part of the page, with these three blocks.
        folder: Replaces the directory of `out/`.

    Returns:
        Standard output of the second and of the last block.
    """
    first, *blocks = re.findall(r"(?:^    .+\n)+", text, re.MULTILINE)
    beside, afterwards = blocks
    mep_here = str(Path(sys.executable).with_name("mep"))

    def shell(block: str) -> str:
        """The block with this machine's `mep`, in a directory of its own."""
        return re.sub(r"\bout/", f"{folder}/out/", block).replace("uv run mep", mep_here)

    def done(block: str) -> str:
        script = ["bash", "-euo", "pipefail", "-c", shell(textwrap.dedent(block))]
        ended = subprocess.run(script, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False, timeout=240)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    with subprocess.Popen(
        shlex.split(shell(first)), cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as kept:
        try:
            begun = time.monotonic()
            while not (folder / "out" / "kept.env").exists() and time.monotonic() - begun < _STARTED_SECONDS:
                assert kept.poll() is None, kept.communicate()
                time.sleep(0.05)
            shown = done(beside)
        finally:
            kept.send_signal(signal.SIGINT)
            kept.communicate(timeout=60)
    assert kept.returncode == 0
    return shown, done(afterwards)
