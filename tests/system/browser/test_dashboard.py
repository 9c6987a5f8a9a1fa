"""The preview in a real browser: `make test-browser`, with Debian's chromium on the PATH."""

import re
import struct
import subprocess
from pathlib import Path

from mep.dashboard.page import page
from mep.dashboard.run import read_run
from monitoring.model import Limits

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr"),
)


def test_a_browser_renders_it_without_errors(run_folder: Path, tmp_path: Path) -> None:
    document, picture = tmp_path / "preview.html", tmp_path / "preview.png"
    document.write_text(page(read_run(run_folder, Limits()), run_folder), encoding="utf-8")

    def chromium(*more: str) -> subprocess.CompletedProcess[str]:
        command = ["chromium", *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *more, document.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)

    dom = chromium("--dump-dom")
    shot = chromium("--window-size=1280,2700", f"--screenshot={picture}")

    assert dom.stdout.count("<svg") == dom.stdout.count("</svg>") > 15
    assert not re.search("CONSOLE|Refused|violates", dom.stderr + shot.stderr)
    head = picture.read_bytes()[:24]
    assert struct.unpack(">II", head[16:24]) == (1280, 2700)
    assert picture.stat().st_size > 50_000, "an empty page is much smaller"
