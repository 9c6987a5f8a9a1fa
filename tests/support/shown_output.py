"""Compares output that a page shows with the real one.

What differs from run to run is replaced on both sides: IDs, times, durations, ages and the bars of a timeline. Blanks
and line breaks do not count, because long lines wrap where the numbers before them end. A line `...` of a page is any
output.
"""

import re
from typing import NamedTuple

_VARIABLE = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{32}\b"), "ID"),
    (re.compile(r"\+?\b\d+(?:\.\d+)? ?(?:ms|[smh])\b"), "DURATION"),
    (re.compile(r"[█~─·✓│├└]+"), " "),
)
_ANYTHING = "..."


class Block(NamedTuple):
    """A fenced block of a page.

    Attributes:
        language: `sh` for commands, `text` for what they print.
        text: The content.
        before: The text between it and the block before it.
    """

    language: str
    text: str
    before: str


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page in their order."""
    parts = re.split(r"^```(\w+)\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    return [Block(parts[at + 1], parts[at + 2], parts[at]) for at in range(0, len(parts) - 1, 3)]


def matches(shown: str, real: str) -> bool:
    """Return whether a page shows what was really printed."""
    parts = re.split(rf"^{re.escape(_ANYTHING)}$", shown, flags=re.MULTILINE)
    pattern = ".*?".join(re.escape(constant(part)) for part in parts)
    return re.fullmatch(pattern, constant(real), re.DOTALL) is not None


def constant(output: str) -> str:
    """Return an output without what differs from run to run."""
    for pattern, name in _VARIABLE:
        output = pattern.sub(name, output)
    return "".join(output.split())
