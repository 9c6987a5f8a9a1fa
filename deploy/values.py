"""The values of a deployment as texts: the defaults, the environment's file over them, CDK's context over both."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ENVIRONMENT_FILES = Path(__file__).parent / "environments"
"""One file per environment: `dev.json`, `staging.json`, `prod.json`."""

IDENTITY = ("account", "region", "prefix")
"""Values that say which stack it is. The command line cannot change those of the file: it would be another stack."""


class ContextError(Exception):
    """A value is invalid. The text names its place, the value, the rule and the fix."""


class Values:
    """The values of a deployment.

    Args:
        defaults: Every key, with its default.
        context: CDK's whole context. CDK's own keys contain `:` or `@` and are ignored.

    Raises:
        ContextError: A key is not known.
    """

    def __init__(self, defaults: Mapping[str, str], context: Mapping[str, Any]) -> None:
        own = {key: value for key, value in context.items() if not re.search("[:@]", key)}
        _check_keys(own, defaults, "context ")
        self._defaults = defaults
        self._context = {key: text for key, value in own.items() if (text := _text(value, f"context {key}"))}
        self._file: Mapping[str, str] = {}
        self._file_name = ""

    def read_file(self, environment: str) -> None:
        """Read the environment's file.

        Raises:
            ContextError: It is missing, is not JSON or has a key that is not known; or the context contradicts it.
        """
        path = ENVIRONMENT_FILES / f"{environment}.json"
        self._file_name = f"deploy/environments/{path.name}"
        try:
            content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_object)
        except (OSError, ValueError) as error:
            raise ContextError(f"{self._file_name} cannot be read: {error}") from error
        if not isinstance(content, dict):
            raise ContextError(f"{self._file_name} is not an object: write {{...}} with the keys of docs/deploy.md")
        _check_keys(content, [key for key in self._defaults if key != "environment"], f"{self._file_name}: ")
        self._file = {
            key: text for key, value in content.items() if (text := _text(value, f"{self._file_name}: {key}"))
        }
        for key in IDENTITY:
            fixed, asked = self._file.get(key), self._context.get(key)
            if fixed and asked and asked != fixed:
                raise ContextError(f"context {key}={asked} is not the {fixed} of {self._file_name}: change the file")

    def __getitem__(self, key: str) -> str:
        """Return a value; empty if it is not given and has no default."""
        return self._context.get(key) or self._file.get(key) or self._defaults[key]

    def place(self, key: str) -> str:
        """Return where a value comes from, with its key, for an error."""
        in_file = key in self._file and key not in self._context
        return f"{self._file_name}: {key}" if in_file else f"context {key}"

    def one_of(self, key: str, allowed: Iterable[str]) -> str:
        """Return a value that is one of some words."""
        value, words = self[key], ", ".join(allowed)
        if not value:
            raise ContextError(f"context {key} is not given: add {_option(key)} with one of {words}")
        if value not in words.split(", "):
            raise ContextError(f"{self.place(key)}={value} is not one of {words}")
        return value

    def matching(self, key: str, pattern: str, rule: str) -> str | None:
        """Return a value that matches a regular expression as a whole; None if it is not given."""
        value = self[key]
        if value and not re.fullmatch(pattern, value):
            raise ContextError(f"{self.place(key)}={value} is not {rule}")
        return value or None

    def listed(self, key: str, pattern: str, rule: str) -> tuple[str, ...]:
        """Return the parts of a value that are separated by commas, each of which matches."""
        parts = tuple(part.strip() for part in self[key].split(",") if part.strip())
        for part in parts:
            if not re.fullmatch(pattern, part):
                raise ContextError(f"{self.place(key)}={part} is not {rule}")
        return parts

    def number(self, key: str, allowed: Iterable[int], rule: str) -> int:
        """Return a whole number."""
        value = self[key]
        if not value:
            raise ContextError(f"{key} is not given: set it in {self._file_name}")
        if not value.isdecimal() or int(value) not in allowed:
            raise ContextError(f"{self.place(key)}={value} is not {rule}")
        return int(value)


def _option(key: str) -> str:
    return "ENVIRONMENT=... to make" if key == "environment" else f"-c {key}=..."


def _check_keys(given: Iterable[str], known: Iterable[str], place: str) -> None:
    words = list(known)
    for key in given:
        if key not in words:
            similar = difflib.get_close_matches(key, words, n=1, cutoff=0.75)
            hint = f"did you mean {similar[0]}?" if similar else f"known: {', '.join(words)}"
            raise ContextError(f"{place}{key} is not known: {hint}")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of a file; a key that is there twice would silently be the last one."""
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = next(key for key in content if sum(key == name for name, _ in pairs) > 1)
        raise ValueError(f"the key {twice} is there twice")
    return content


def _text(value: Any, place: str) -> str:
    """Return a value as the command line has it: lists and objects separated by commas."""
    match value:
        case None:
            return ""
        case bool():
            raise ContextError(f"{place}={json.dumps(value)} is not a text, a number, a list or an object")
        case str() | int():
            return str(value).strip()
        case list():
            return ",".join(_text(each, place) for each in value)
        case dict():
            return ",".join(f"{key}={_text(each, place)}" for key, each in value.items())
    raise ContextError(f"{place} is not a text, a number, a list or an object")
