"""The part of DynamoDB's expressions that this product uses, as functions of an item."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

type Item = Mapping[str, Any]
type Condition = Callable[[Item, Mapping[str, Any]], bool]

_TOKEN = re.compile(r"\s*(attribute_exists|attribute_not_exists|AND\b|OR\b|NOT\b|<>|[=(),]|:\w+|\w+)")
_CACHED = 256


class ExpressionError(ValueError):
    """An expression that is not understood here."""


@lru_cache(_CACHED)
def condition(text: str) -> Condition:
    """Compile a condition: `attribute_exists`, `attribute_not_exists`, `=`, `<>`, AND, OR, NOT and brackets.

    Raises:
        ExpressionError: It has something else.
    """
    parser = _Parser(text)
    found = parser.any_of()
    parser.end()
    return found


@lru_cache(_CACHED)
def update(text: str) -> tuple[tuple[str, str], ...]:
    """Compile `SET name = :value, ...` into pairs of both.

    Raises:
        ExpressionError: It is something else.
    """
    parser = _Parser(text)
    parser.take("SET")
    pairs: list[tuple[str, str]] = []
    while True:
        name = parser.name()
        parser.take("=")
        pairs.append((name, parser.value()))
        if not parser.skip(","):
            break
    parser.end()
    return tuple(pairs)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        position = 0
        text = text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise ExpressionError(f"not understood here: {text[position:]}")
            self._tokens.append(match[1])
            position = match.end()

    def skip(self, token: str) -> bool:
        if self._tokens and self._tokens[0] == token:
            del self._tokens[0]
            return True
        return False

    def take(self, token: str) -> None:
        if not self.skip(token):
            raise ExpressionError(f"{token} is missing")

    def end(self) -> None:
        if self._tokens:
            raise ExpressionError(f"too much: {' '.join(self._tokens)}")

    def name(self) -> str:
        if not self._tokens or not re.fullmatch(r"[A-Za-z]\w*", self._tokens[0]):
            raise ExpressionError("an attribute's name is missing")
        return self._tokens.pop(0)

    def value(self) -> str:
        if not self._tokens or not self._tokens[0].startswith(":"):
            raise ExpressionError("a value is missing")
        return self._tokens.pop(0)

    def any_of(self) -> Condition:
        parts = [self._all_of()]
        while self.skip("OR"):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else lambda item, values: any(part(item, values) for part in parts)

    def _all_of(self) -> Condition:
        parts = [self._one()]
        while self.skip("AND"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda item, values: all(part(item, values) for part in parts)

    def _one(self) -> Condition:
        if self.skip("NOT"):
            inner = self._one()
            return lambda item, values: not inner(item, values)
        if self.skip("("):
            inner = self.any_of()
            self.take(")")
            return inner
        for function, present in (("attribute_exists", True), ("attribute_not_exists", False)):
            if self.skip(function):
                self.take("(")
                name = self.name()
                self.take(")")
                return lambda item, _, name=name, present=present: (name in item) is present  # type: ignore[misc]
        name = self.name()
        equal = self.skip("=")
        if not equal:
            self.take("<>")
        value = self.value()
        # An attribute that is not there equals nothing, and differs from everything.
        return lambda item, values: (item.get(name) == values[value]) is equal
