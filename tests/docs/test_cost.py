"""The tables of docs/cost.md are those that are computed from counts and prices."""

import re

from monitoring.cost import GB_SECOND
from tests.docs.cost import PAGE, defined, entry_bytes, environments, lines, month, regenerate
from tests.docs.markdown import tables

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_tables_are_computed() -> None:
    assert regenerate(TEXT) == TEXT, (
        "if this is intended: .venv/bin/python -m tests.docs.cost, and read the text around"
    )


def test_every_table_of_dollars_is_computed() -> None:
    """None is written by hand, where nothing would correct it; that of the memory sizes is measured."""
    assert [heading for heading, _ in tables(TEXT) if not heading.startswith("| memory |")] == list(lines())


def test_the_counts_in_the_text() -> None:
    """The sentence that says what a month costs, and where most of it is."""
    (low, high) = (sum(month(defined(), events)) for events in (10, 50))
    found = re.search(r"about (\d+) dollars an environment and month", TEXT)

    assert found is not None
    assert int(found[1]) == round(low) == round(high)
    assert defined().dollars_of_alarms + 3 > 0.75 * low


def test_the_rows_are_the_environments() -> None:
    assert list(environments()) == ["`dev`", "`staging`", "`prod`"]
    assert f"{GB_SECOND:.10f}" in TEXT


def test_an_audit_entry_is_one_write_unit() -> None:
    """Of a kilobyte; so is its copy in the index."""
    assert 300 < entry_bytes() < 1024
