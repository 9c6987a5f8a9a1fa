"""The values of a deployment as texts: the defaults, the environment's file over them, CDK's context over both."""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

ENVIRONMENT_FILES = Path(__file__).parent / "environments"
"""One file per environment: `dev.json`, `staging.json`, `prod.json`."""

IDENTITY = ("account", "region", "prefix")
"""Values that say which stack it is. The command line cannot change those of the file: it would be another stack."""


class Kind(Enum):
    """The JSON type of a value in an environment's file, and the rule of its error."""

    TEXT = "a text: write it in quotation marks"
    NUMBER = "a whole number: write it without quotation marks and without a fraction"
    LIST = 'a list of texts: write ["...", "..."]'
    OBJECT = 'an object of texts and whole numbers: write {"KEY": "VALUE"}'


type _Converter = Callable[[Any, Kind], str]


class ContextError(Exception):
    """Values are invalid. The text has one line for each, with its place, the value, the rule and the fix."""


class Values:
    """The values of a deployment.

    An invalid value is recorded, and a valid one returned in its place: `check` reports all of them together.

    Args:
        kinds: Every key, with its JSON type in the environment's file.
        defaults: The keys that have a default.
        context: CDK's whole context. CDK's own keys contain `:` or `@` and are ignored.
    """

    def __init__(self, kinds: Mapping[str, Kind], defaults: Mapping[str, str], context: Mapping[str, Any]) -> None:
        self._kinds = kinds
        self._defaults = defaults
        self._errors: dict[str, list[str]] = {}
        self._file: dict[str, str] = {}
        self._file_name = ""
        own = {key: value for key, value in context.items() if not re.search("[:@]", key)}
        self._context = self._known(own, kinds, "context ", _context_text)

    def read_file(self, environment: str) -> None:
        """Read the environment's file.

        Raises:
            ContextError: It cannot be read, or is not an object.
        """
        path = ENVIRONMENT_FILES / f"{environment}.json"
        self._file_name = f"deploy/environments/{path.name}"
        try:
            content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_object)
        except OSError as error:
            self.reject("environment", f"{self._file_name} cannot be read: {error.strerror}")
        except ValueError as error:
            self.reject("environment", f"{self._file_name} cannot be read: {error}")
        else:
            if not isinstance(content, dict):
                rule = "an object: write {...} with the keys of docs/deploy.md"
                self.reject("environment", f"{self._file_name} is not {rule}")
        if not self.accepted("environment"):
            self.check()
        kinds = {key: kind for key, kind in self._kinds.items() if key != "environment"}
        self._file = self._known(content, kinds, f"{self._file_name}: ", _file_text)
        for key in IDENTITY:
            fixed, asked = self._file.get(key), self._context.get(key)
            if fixed and asked and asked != fixed:
                self.reject(key, f"context {key}={asked} is not the {fixed} of {self._file_name}: change the file")

    def __getitem__(self, key: str) -> str:
        """Return a value; empty if it is not given and has no default."""
        return self._context.get(key) or self._file.get(key) or self._defaults.get(key, "")

    def place(self, key: str) -> str:
        """Return where a value comes from, with its key, for an error."""
        in_file = key in self._file and key not in self._context
        return f"{self._file_name}: {key}" if in_file else f"context {key}"

    def reject(self, key: str, problem: str) -> None:
        """Record what is wrong with a value, in one line."""
        self._errors.setdefault(key, []).append(" ".join(problem.splitlines()))

    def accepted(self, *keys: str) -> bool:
        """Return whether nothing is known to be wrong with the values of some keys."""
        return self._errors.keys().isdisjoint(keys)

    def check(self) -> None:
        """Report what was recorded.

        Raises:
            ContextError: A value is invalid.
        """
        if self._errors:
            raise ContextError("\n".join(line for lines in self._errors.values() for line in lines))

    def one_of(self, key: str, allowed: Iterable[str]) -> str:
        """Return a value that is one of some words."""
        value, words = self[key], list(allowed)
        if value in words:
            return value
        if not value:
            self.reject(key, f"context {key} is not given: add {_option(key)} with one of {', '.join(words)}")
        else:
            self.reject(key, f"{self.place(key)}={value} is not one of {', '.join(words)}")
        return words[0]

    def matching(self, key: str, pattern: str, rule: str) -> str | None:
        """Return a value that matches a regular expression as a whole; None if it is not given."""
        value = self[key]
        if not self.accepted(key):
            return None
        if value and not re.fullmatch(pattern, value):
            self.reject(key, f"{self.place(key)}={value} is not {rule}")
            return None
        return value or None

    def listed(self, key: str, pattern: str, rule: str) -> tuple[str, ...]:
        """Return the parts of a value that are separated by commas, each of which matches."""
        parts = tuple(part.strip() for part in self[key].split(",") if part.strip())
        for part in parts:
            if not re.fullmatch(pattern, part):
                self.reject(key, f"{self.place(key)}={part} is not {rule}")
        return parts if self.accepted(key) else ()

    def number(self, key: str, allowed: Iterable[int], rule: str) -> int | None:
        """Return a whole number; None if it is not given."""
        value = self[key]
        if not value:
            return None
        if not value.isdecimal() or int(value) not in allowed:
            self.reject(key, f"{self.place(key)}={value} is not {rule}")
            return None
        return int(value)

    def required_number(self, key: str, allowed: Iterable[int], rule: str) -> int:
        """Return a whole number that the environment's file must have."""
        number = self.number(key, allowed, rule)
        if number is None and self.accepted(key):
            self.reject(key, f"{key} is not given: set it in {self._file_name}")
        return number or 0

    def _known(self, given: Mapping[str, Any], known: Iterable[str], place: str, convert: _Converter) -> dict[str, str]:
        """Return the values as texts, without those that are not known, are not set or have another type."""
        words = list(known)
        texts = {}
        for key, value in given.items():
            if key not in words:
                self.reject(key, f"{place}{key} is not known: {_hint(key, words)}")
                continue
            try:
                text = convert(value, self._kinds[key])
            except ValueError as error:
                self.reject(key, f"{place}{key}={json.dumps(value)} is not {error}")
            else:
                if text:
                    texts[key] = text
        return texts


def _option(key: str) -> str:
    return "ENVIRONMENT=... to make" if key == "environment" else f"-c {key}=..."


def _hint(key: str, words: Sequence[str]) -> str:
    similar = difflib.get_close_matches(key, words, n=1, cutoff=0.75)
    return f"did you mean {similar[0]}?" if similar else f"known: {', '.join(words)}"


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of a file; a key that is there twice would silently be the last one."""
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = next(key for key in content if sum(key == name for name, _ in pairs) > 1)
        raise ValueError(f"the key {twice} is there twice")
    return content


def _file_text(value: Any, kind: Kind) -> str:
    """Return a value of a file as the command line has it: lists and objects separated by commas.

    Raises:
        ValueError: It has another JSON type.
    """
    match kind, value:
        case _, None:
            return ""
        case Kind.TEXT, str():
            return value.strip()
        case Kind.NUMBER, int() if not isinstance(value, bool):
            return str(value)
        case Kind.LIST, list() if all(isinstance(each, str) for each in value):
            return ",".join(value)
        case Kind.OBJECT, dict() if all(type(each) in {str, int} for each in value.values()):
            return ",".join(f"{name}={each}" for name, each in value.items())
    raise ValueError(kind.value)


def _context_text(value: Any, _: Kind) -> str:
    """Return a context value; on the command line, each is a text.

    Raises:
        ValueError: It is neither a text nor a number.
    """
    match value:
        case None:
            return ""
        case str() | int() if not isinstance(value, bool):
            return str(value).strip()
    raise ValueError("a text or a number: lists are separated by commas")
