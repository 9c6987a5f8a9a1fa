"""`mep open` in a real browser, with ten events and with ten thousand."""

import io
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from emulator.environment import SAMPLES
from mep.explorer.page import page as make_page
from mep.explorer.server import serve
from mep.local.options import RunOptions
from mep.local.run import run
from tests.system.browser.chromium import Page, chromium

COPIES = 1000
_ID = re.compile(
    rb'"(demo-[a-z-]+|[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"'
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the sample events."""
    out = tmp_path_factory.mktemp("run")
    options = RunOptions(calendar=SAMPLES / "calendar.csv", events=SAMPLES / "events.jsonl", out=out, workers=1)
    run(options, Console(file=io.StringIO()))
    return out


@pytest.fixture(scope="session")
def large(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same events a thousand times, with IDs of their own."""
    out = tmp_path_factory.mktemp("large")
    for source in folder.iterdir():
        content = source.read_bytes()
        with (out / source.name).open("wb") as file:
            if source.suffix != ".jsonl" or source.stem in {"calendar", "metrics", "platform"}:
                file.write(content)
                continue
            for number in range(COPIES):
                file.write(_ID.sub(partial(_renamed, b"%04x" % number), content))
    return out


def _renamed(prefix: bytes, found: re.Match[bytes]) -> bytes:
    return b'"' + prefix + found[1][4:] + b'"'


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with chromium(tmp_path / "profile") as page:
        page.size(1280, 800)
        yield page
        assert page.errors == []


def written(folder: Path, tmp_path: Path) -> str:
    path = tmp_path / "run.html"
    path.write_text("".join(make_page(folder)), encoding="utf-8")
    return path.as_uri()


def texts(page: Page, selector: str) -> list[str]:
    return list(page.value(f"[...document.querySelectorAll({selector!r})].map((element) => element.textContent)"))


def test_a_person_finds_an_event_by_keyboard(page: Page, folder: Path, tmp_path: Path) -> None:
    page.open(written(folder, tmp_path))
    assert texts(page, "#count") == ["10 of 10 events"]

    page.press("/")
    page.write("unknown")
    page.until("document.getElementById('count').textContent.startsWith('1 of')")
    page.press("Escape")
    page.press("ArrowDown")
    page.until("document.querySelector('#timeline .verdict') !== null")
    assert "not_found: NoSuchRow" in texts(page, "#timeline .verdict")[0]
    assert page.value("location.hash") == "#demo-unknown-row"
    assert page.value("document.activeElement.id") == "grid"
    active = page.value(
        "document.getElementById(document.activeElement.getAttribute('aria-activedescendant')).className"
    )
    assert active == "event"

    page.press("Escape")
    page.until("document.querySelector('#timeline .verdict') === null")


def test_filters_count_and_combine(page: Page, folder: Path, tmp_path: Path) -> None:
    page.open(written(folder, tmp_path))
    chips = texts(page, ".chip")
    assert chips == ["dead_lettered 5", "marked 4", "duplicate 1", "validation 4", "not_found 1"]

    page.value("document.querySelector('#outcome-chips .chip').click()")
    assert texts(page, "#count") == ["5 of 10 events"]
    page.value("document.querySelectorAll('#category-chips .chip')[1].click()")
    assert texts(page, "#count") == ["1 of 10 events"]
    assert page.value("document.querySelectorAll('.chip[aria-pressed=true]').length") == 2


def test_ten_thousand_events_stay_fluid(page: Page, large: Path, tmp_path: Path) -> None:
    page.open(written(large, tmp_path))
    assert texts(page, "#count") == ["10,000 of 10,000 events"]
    assert page.value("document.querySelectorAll('.event').length") < 60, "only what is visible is drawn"

    page.value("document.getElementById('grid').focus()")
    page.press("End")
    page.until("document.querySelector('#timeline .verdict') !== null")
    assert page.value("document.querySelectorAll('.event').length") < 60
    last = page.value("document.querySelector('.event[aria-selected=true]').getAttribute('aria-rowindex')")
    assert last == "10001"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_leaves_the_window(page: Page, folder: Path, tmp_path: Path, width: int, *, dark: bool) -> None:
    page.size(width, 800, dark=dark)
    page.open(f"{written(folder, tmp_path)}#demo-aapl")
    page.until("document.querySelector('#timeline .records') !== null")

    assert page.value("document.documentElement.scrollWidth") <= width
    overflowing = page.value(
        "[...document.querySelectorAll('.list, .detail, .records, .verdict, .ids')]"
        ".filter((element) => element.offsetParent && element.scrollWidth > element.clientWidth + 1)"
        ".map((element) => element.className)"
    )
    assert overflowing == []
    page.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000


def test_a_served_page_follows_the_run(page: Page, folder: Path, tmp_path: Path) -> None:
    here = tmp_path / "run"
    here.mkdir()
    (here / "logs.jsonl").write_bytes(b"")
    with serve(here) as url:
        page.open(url)
        assert texts(page, "#count") == ["0 of 0 events"]
        for source in folder.iterdir():
            (here / source.name).write_bytes(source.read_bytes())
        page.until("document.getElementById('count').textContent === '10 of 10 events'")
        page.value("choose(0)")
        page.until("document.querySelector('#timeline .verdict') !== null")
    page.until("document.body.classList.contains('lost')")
    page.errors.clear()  # those of the requests after the server's end
