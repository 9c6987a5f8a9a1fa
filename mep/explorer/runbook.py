"""Sections of the runbook as HTML."""

import re
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt

from monitoring.alarms import anchor

_FILES = (Path(__file__).with_name("runbook.md"), Path(__file__).parents[2] / "docs" / "runbook.md")
"""In the installed package, and in the repository."""
_HEADING = re.compile(r"^## ", re.MULTILINE)


def section_html(alarm: str) -> str:
    """Return the section of an alarm; empty if the runbook has none."""
    text = _sections().get(anchor(alarm), "")
    # Links lead to files that are not beside the page.
    return str(MarkdownIt("zero").enable(_RULES).render(text))


_RULES = ["heading", "list", "code", "fence", "table", "backticks", "emphasis", "entity", "escape", "newline"]


@cache
def _sections() -> dict[str, str]:
    text = next((path.read_text(encoding="utf-8") for path in _FILES if path.is_file()), "")
    parts = _HEADING.split(text)[1:]
    return {part.partition("\n")[0].strip("` "): part.partition("\n")[2] for part in parts}
