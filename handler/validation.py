"""Validators of single fields: pure functions from a JSON value to a clean value or a `FieldError`.

No rule ever repeats the value it refuses: what failed validation may be anything, a secret included.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

MAX_ID_LENGTH = 128
MAX_SYMBOL_LENGTH = 20  # docs/events.md and tests/support/strategies.py state it, too

# re.ASCII and \Z: no digit of another script, no newline that `$` would let pass.
_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}\Z")
_SYMBOL = re.compile(r"[A-Za-z0-9^](?: ?[A-Za-z0-9._/^=&$+:-])*\Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?"
    r"([Zz]|[+-][0-9]{2}:?[0-9]{2})?\Z"
)

_BLANKS = " \t\r\n"

_SYMBOL_RULE = (
    f"1 to {MAX_SYMBOL_LENGTH} characters of A-Z 0-9 . _ / ^ = - & $ + : and single inner spaces, "
    "the first of A-Z 0-9 ^"
)


class Violation(NamedTuple):
    """One rule that an event breaks, without the value that breaks it.

    Attributes:
        field: Path from the top of the event, as `detail.asset_symbol`.
        rule: What is required.
        received: Type and length of the value.
    """

    field: str
    rule: str
    received: str

    def as_json(self) -> dict[str, str]:
        """Return the violation as a JSON object."""
        return {"field": self.field, "rule": self.rule, "received": self.received}


class FieldError(ValueError):
    """A value breaks its rule; the message is the rule."""


Validator = Callable[[Any], str]


def absent(value: object) -> bool:
    """Return whether the value of an optional field means that the field is absent: `null` or an empty string.

    Producers in Go and protobuf send those for fields that are not set. A string of blanks is not empty: no encoder
    generates one, so it breaks the field's rule like any other invalid value.
    """
    return value is None or value == ""


def describe_type(value: object) -> str:
    """Describe a JSON value by its type and length only."""
    if value is None:
        return "null"
    for kinds, name, unit in _KINDS:
        if isinstance(value, kinds):
            return f"{name} of {len(value)} {unit}" if unit else name
    return "not a JSON value"


_KINDS: tuple[tuple[Any, str, str], ...] = (
    (bool, "boolean", ""),  # before int, which it is too
    ((int, float), "number", ""),
    (str, "string", "characters"),
    ((list, tuple), "array", "items"),
    (dict, "object", "members"),
)


def parse_id(value: Any) -> str:
    """Return an ID: 1 to 128 characters of `[A-Za-z0-9._:-]`."""
    if isinstance(value, str) and _ID.match(value):
        return value
    raise FieldError(f"1 to {MAX_ID_LENGTH} characters of A-Z a-z 0-9 . _ : -")


def parse_symbol(value: Any) -> str:
    """Return a ticker symbol as market-data feeds send it, trimmed and in upper case."""
    if isinstance(value, str):
        trimmed = value.strip(_BLANKS)
        # Checked before upper(): some letters outside ASCII become ASCII by it.
        if len(trimmed) <= MAX_SYMBOL_LENGTH and _SYMBOL.match(trimmed):
            return trimmed.upper()
    raise FieldError(_SYMBOL_RULE)


def parse_date(value: Any) -> str:
    """Return a real calendar day, `YYYY-MM-DD`."""
    if isinstance(value, str) and _DAY.match(value):
        try:
            date.fromisoformat(value)
        except ValueError:
            pass
        else:
            return value
    raise FieldError("a calendar day, YYYY-MM-DD")


def parse_timestamp(value: Any) -> str:
    """Return a timestamp of RFC 3339 in UTC. One without an offset is UTC."""
    if isinstance(value, str) and _INSTANT.match(value):
        try:
            parsed = datetime.fromisoformat(value.upper().replace(",", "."))
            return format_utc(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            pass  # month 13, or an offset that leaves the calendar
    raise FieldError("a date-time such as 2025-07-31T20:05:00Z")


def format_utc(moment: datetime, timespec: str = "microseconds") -> str:
    """Return a time in ISO 8601 and UTC with `Z`, to the precision that `datetime.isoformat` calls `timespec`."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
