"""The documentation's site in a browser that reaches no other host: diagrams and search.

The site is built here, with Mermaid as `make docs` installs it.
"""

import re
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.docs import site
from tests.docs.mermaid import diagrams, labels
from tests.support.tree import project_files
from tests.system.browser.chromium import Page, chromium

DIAGRAMS = {
    str(path.relative_to(site.ROOT)): found
    for path in project_files(site.ROOT, "*.md")
    if (found := diagrams(path.read_text(encoding="utf-8")))
}
pytestmark = pytest.mark.timeout(300)  # the first test also builds the site

DESKTOP, PHONE = 1280, 390
SMALLEST_PX = 11.5

# Zensical puts a diagram into a closed shadow root, and stores the color scheme of a reader's first visit.
BEFORE_EACH_PAGE = """
localStorage.clear();
const attach = Element.prototype.attachShadow;
Element.prototype.attachShadow = function (options) { return attach.call(this, { ...options, mode: "open" }); };
addEventListener("unhandledrejection", (event) => { window.failure = String(event.reason); });
addEventListener("error", (event) => { window.failure = event.message || `not loaded: ${event.target.src}`; }, true);
"""
PICTURES = "[...document.querySelectorAll('div.mermaid')].map((each) => each.shadowRoot.querySelector('svg'))"
READ = f"""{PICTURES}.map((svg) => {{
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    const texts = [...svg.querySelectorAll(".nodeLabel, .edgeLabel p, text.actor, text.messageText")];
    return {{
        texts: texts.map((each) => each.textContent.replace(/\\s/g, "")).filter(Boolean),
        fits: svg.getRootNode().host.scrollWidth <= svg.getRootNode().host.clientWidth,
        smallest: Math.min(...texts.map((each) => parseFloat(getComputedStyle(each).fontSize) * scale)),
        color: getComputedStyle(texts[0])[texts[0].matches("text") ? "fill" : "color"],
    }};
}})"""


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site."""
    target = tmp_path_factory.mktemp("docs")
    assert site.build(target) == []
    return target / "site"


@pytest.fixture(scope="session")
def url(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=folder)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with chromium(tmp_path / "profile", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1") as page:
        page.call("Page.addScriptToEvaluateOnNewDocument", source=BEFORE_EACH_PAGE)
        yield page


def pictures(page: Page, address: str, count: int) -> list[dict[str, Any]]:
    """Open a page, and return what its diagrams show when all are drawn.

    Raises:
        AssertionError: One cannot be drawn, or the page asks another host.
    """
    drawn = f"document.querySelectorAll('div.mermaid').length === {count}"
    page.open(address, f"location.href === {address!r} && (window.failure || {drawn})")
    assert not page.value("window.failure"), page.value("window.failure")
    assert page.errors == []
    return list(page.value(READ))


def address(url: str, name: str) -> str:
    return f"{url}/{Path(name).with_suffix('')}/"


@pytest.mark.parametrize(
    ("width", "dark"), [(DESKTOP, False), (DESKTOP, True), (PHONE, True)], ids=["light", "dark", "phone"]
)
def test_every_diagram_is_drawn(page: Page, url: str, tmp_path: Path, width: int, *, dark: bool) -> None:
    page.size(width, 1000, dark=dark)
    for name, sources in DIAGRAMS.items():
        drawn = pictures(page, address(url, name), len(sources))
        assert [set(each["texts"]) for each in drawn] == [labels(source) for source in sources], name
        assert all(each["smallest"] > SMALLEST_PX for each in drawn), (name, drawn)
        assert width == PHONE or all(each["fits"] for each in drawn), (name, drawn)
        assert page.value("document.documentElement.scrollWidth") <= width, name
        assert all(_is_light(each["color"]) == dark for each in drawn), (name, drawn)
        page.value("document.querySelector('div.mermaid').scrollIntoView({ block: 'center' })")
        page.picture(tmp_path / f"{Path(name).stem}.png")


def _is_light(color: str) -> bool:
    """Return whether a color such as `rgb(54, 70, 78)` is light."""
    return sum(map(float, re.findall(r"[\d.]+", color)[:3])) > 3 * 128


def test_a_mistake_in_a_diagram_is_found(page: Page, url: str, folder: Path) -> None:
    name, sources = next(iter(DIAGRAMS.items()))
    built = (folder / Path(name).with_suffix("") / "index.html").read_text(encoding="utf-8")
    wrong = folder / Path(name).parent / "wrong" / "index.html"
    wrong.parent.mkdir()
    wrong.write_text(built.replace("--&gt;", "-&gt;", 1), encoding="utf-8")

    with pytest.raises(AssertionError, match="Parse error"):
        pictures(page, address(url, str(wrong.parent.relative_to(folder))), len(sources))


def test_search_finds_a_page(page: Page, url: str) -> None:
    page.open(f"{url}/", "document.readyState === 'complete'")
    dialog = "[...document.querySelectorAll('*')].find((each) => each.shadowRoot?.querySelector('dialog'))?.shadowRoot"
    page.until(f"Boolean({dialog})")
    page.value("document.querySelector('.md-search__button').click()")
    page.until(f"{dialog}?.activeElement?.matches('input')")
    page.write("redrive")
    page.until(f"{dialog}.querySelectorAll('[role=option]').length > 0")

    links = page.value(f"[...{dialog}.querySelectorAll('[role=option]')].map((each) => new URL(each.href).pathname)")
    assert "/docs/dead-letters/" in links
    assert page.errors == []
