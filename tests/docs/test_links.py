"""Every link of the documentation leads to an existing file and heading."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from emulator.environment import PROJECT_ROOT
from tests.support.tree import project_files

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(([^()\s]+)\)")


def _pages() -> list[str]:
    return [str(page.relative_to(PROJECT_ROOT)) for page in project_files(PROJECT_ROOT, "*.md")]


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings as GitHub creates them; repeated ones are numbered."""
    seen: dict[str, int] = {}
    made = []
    for heading in re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text(encoding="utf-8")), flags=re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        made.append(f"{slug}-{seen[slug]}" if slug in seen else slug)
        seen[slug] = seen.get(slug, 0) + 1
    return frozenset(made)


def links(text: str) -> Iterator[str]:
    """Yield the link targets in a text, without those to other sites."""
    for target in _LINK.findall(_CODE.sub("`", _FENCE.sub("", text))):
        if not re.match(r"[a-z]+:", target):
            yield target


def broken(page: Path, text: str) -> list[str]:
    """Return the broken links of a page."""
    found = []
    for target in links(text):
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            found.append(target)
    return found


@pytest.mark.parametrize("name", _pages())
def test_links(name: str) -> None:
    page = PROJECT_ROOT / name
    assert broken(page, page.read_text(encoding="utf-8")) == []


def test_a_broken_link_is_found() -> None:
    page = PROJECT_ROOT / "README.md"
    text = "[a](docs/runbook.md#no-such-heading) [b](docs/none.md) [c](#no-such) [d](docs/runbook.md#security) `[e](x)`"
    assert broken(page, text) == ["docs/runbook.md#no-such-heading", "docs/none.md", "#no-such"]
