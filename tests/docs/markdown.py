"""Tables of a document."""

import re


def tables(text: str) -> list[tuple[str, list[list[str]]]]:
    """Each table: its heading as it is written, and the cells of its rows."""
    found = re.findall(r"^(\|.*)\n\|---.*\n((?:\|.*\n)+)", text, flags=re.MULTILINE)
    return [
        (heading, [[cell.strip() for cell in row.strip("|").split("|")] for row in rows.splitlines()])
        for heading, rows in found
    ]
