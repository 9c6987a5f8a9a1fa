"""What a person asks for: an ID of any kind, or the key of a row."""

import re
from dataclasses import dataclass

from handler.contract import CALENDAR, KEY_FIELDS
from handler.validation import FieldError, parse_id
from mep.errors import UsageError

_XRAY_ID = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})")
_SEPARATOR = re.compile(r"[ #]")
_DATE_LIKE = re.compile(r"[0-9]{1,4}([./-])[0-9]{1,2}\1[0-9]{1,4}|[0-9]{8}")
"""A date in any form: the one of the calendar, those of other countries, without separators."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An ID, a key, or a text that may be either.

    Attributes:
        text: As typed.
        id: The text as an ID, a trace ID in the log's format; empty if it cannot be one.
        keys: The first parts of the calendar's key that it may be: all of them, or the partition key only.
        hint: What else may be meant, where nothing is found; may be empty.
    """

    text: str
    id: str
    keys: tuple[tuple[str, ...], ...]
    hint: str = ""

    def matches(self, key: tuple[str, ...]) -> bool:
        """Return whether a row's key begins with what is asked for."""
        return any(key[: len(asked)] == asked for asked in self.keys)


def parse_asked(text: str) -> Asked:
    """Parse an ID or a key; the parts of a key are separated by a blank or by `#`.

    Raises:
        UsageError: It can be neither, or its date is in another form than the calendar's.
    """
    text = text.strip()
    _check_date(text)
    keys = tuple(dict.fromkeys(_keys(text)))
    xray = _XRAY_ID.fullmatch(text)
    try:
        found = "".join(xray.groups()) if xray else parse_id(text)
    except FieldError as error:
        if not keys:
            parts = " and ".join(CALENDAR.key)
            raise UsageError(f"neither an ID ({error}) nor a row ({parts}, separated by a blank or #)") from None
        found = ""
    is_date = len(CALENDAR.key) > 1 and _DATE_LIKE.fullmatch(text) is not None
    return Asked(text, found, keys, f"a row is named by {' and '.join(CALENDAR.key)}: {_EXAMPLE}" if is_date else "")


_EXAMPLE = "AAPL 2025-07-31"


def _check_date(text: str) -> None:
    """Refuse a row whose date cannot be one: it would be taken for a part of the symbol.

    Raises:
        UsageError: The last of several parts looks like a date, and is none.
    """
    first, *others = _SEPARATOR.split(text)
    if len(CALENDAR.key) == 1 or not first or not others or _DATE_LIKE.fullmatch(others[-1]) is None:
        return
    try:
        KEY_FIELDS[CALENDAR.key[-1]](others[-1])
    except FieldError as error:
        raise UsageError(f"{others[-1]} is not {error}, as in {_EXAMPLE}") from None


def _keys(text: str) -> list[tuple[str, ...]]:
    """Return the readings of a text as the first parts of a key, the longest first."""
    validators = [KEY_FIELDS[name] for name in CALENDAR.key]
    if {'"', "\\"} & set(text):  # a key is part of query texts
        return []
    readings: list[tuple[str, ...]] = [(text,)]
    separators = list(_SEPARATOR.finditer(text))
    if len(validators) > 1 and separators:
        last = separators[-1]
        readings.insert(0, (text[: last.start()], text[last.end() :]))
    keys: list[tuple[str, ...]] = []
    for reading in readings:
        try:
            keys.append(tuple(validate(part) for validate, part in zip(validators, reading, strict=False)))
        except FieldError:
            continue
    return keys
