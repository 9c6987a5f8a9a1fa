"""Reads environment variables: what is blank is not set, what is wrong is collected, and one start reports it all."""

import string
from collections.abc import Callable, Mapping

_HOST = string.ascii_letters + string.digits + "-"
_LONGEST_LABEL = 63


class EnvReader:
    """Reads variables and collects a problem for each that is wrong: its name and the rule, never its value.

    Args:
        environ: The environment, normally `os.environ`.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._problems: dict[str, str] = {}

    @property
    def problems(self) -> list[str]:
        """One text for each wrong variable, each beginning with its name."""
        return list(self._problems.values())

    def raw(self, name: str) -> str:
        """Return a variable as a library sees it, with its blanks; empty if it is blank."""
        value = self._environ.get(name, "")
        return value if value.strip() else ""

    def text(self, name: str, default: str = "", valid: Callable[[str], bool] | None = None, rule: str = "") -> str:
        """Return a text without the blanks around it.

        Bytes that are not UTF-8 are refused: Python hands them over as half a character, which no log line, metric,
        span or request can carry.

        Args:
            name: Of the variable.
            default: What stands for a variable that is not set or wrong.
            valid: Whether the text keeps the rule.
            rule: Completes "NAME must be".
        """
        value = self._environ.get(name, "").strip()
        if not value:
            return default
        if not is_utf8(value):
            self.refuse(name, "text in UTF-8")
        elif valid is not None and not valid(value):
            self.refuse(name, rule)
        else:
            return value
        return default

    def parsed[T](self, name: str, default: T, parse: Callable[[str], T], rule: str) -> T:
        """Return what `parse` makes of a text without the blanks around it.

        Args:
            name: Of the variable.
            default: What stands for a variable that is not set or wrong.
            parse: Raises ValueError or KeyError for a text that breaks the rule.
            rule: Completes "NAME must be".
        """
        text = self._environ.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except (ValueError, KeyError):
            self.refuse(name, rule)
            return default

    def check(self, name: str, valid: Callable[[str], object], rule: str) -> None:
        """Check a variable that a library reads by itself, blanks included.

        Args:
            name: Of the variable.
            valid: Returns False or raises ValueError for a text that breaks the rule.
            rule: Completes "NAME must be".
        """
        text = self.raw(name)
        try:
            kept = not text or valid(text) is not False
        except ValueError:
            kept = False
        if not kept:
            self.refuse(name, rule)

    def refuse(self, name: str, rule: str) -> None:
        """Add the problem that a variable is to be RULE: the first one of each variable."""
        self.add(name, f"{name} must be {rule}")

    def add(self, name: str, problem: str) -> None:
        """Add a problem in other words; it begins with the variable's name."""
        self._problems.setdefault(name, problem)


def is_utf8(text: str) -> bool:
    """Whether a text can be written as UTF-8: it has no half of a character."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def is_printable_ascii(text: str) -> bool:
    """Whether a text is ASCII without control characters."""
    return text.isascii() and text.isprintable()


def one_of(*allowed: str) -> Callable[[str], str]:
    """Return a parser of a few words in any case."""

    def parse(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError
        return text.lower()

    return parse


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return a parser of a whole number between two bounds, both included."""

    def parse(text: str) -> int:
        value = int(text) if len(text) <= len(str(most)) + 1 else most + 1
        if not least <= value <= most:
            raise ValueError
        return value

    return parse


def split_url(text: str, *, also_in_host: str = "") -> tuple[str, str, str]:
    """Take an HTTP URL apart.

    Not by `urllib.parse`: it leaves what makes no sense to whoever opens the connection, which is an event.

    Args:
        text: The URL.
        also_in_host: Characters of a host besides letters, digits, `.` and `-`.

    Returns:
        What stands before an `@` (empty without one), the host in lower case without its port, and the path from its
        slash on.

    Raises:
        ValueError: It is not one.
    """
    allowed = _HOST + also_in_host
    scheme, _, rest = text.partition("://")
    if scheme not in {"http", "https"} or not is_printable_ascii(text) or " " in text:
        raise ValueError
    authority, slash, path = rest.partition("/")
    user, _, place = authority.rpartition("@")
    if place.startswith("["):
        host, bracket, port = place[1:].partition("]")
        if not bracket or ":" not in host or host.strip(string.hexdigits + ":.") or port[:1] not in {"", ":"}:
            raise ValueError
        port = port[1:]
    else:
        host, _, port = place.partition(":")
        for label in host.removesuffix(".").split("."):
            if not label or len(label) > _LONGEST_LABEL or "-" in {label[0], label[-1]} or label.strip(allowed):
                raise ValueError
    if port and not (port.isdecimal() and 0 < int(port[:6]) < 65536):
        raise ValueError
    return user, host.lower(), slash + path


def is_proxy(text: str) -> bool:
    """Whether a text names an HTTP proxy as botocore and requests understand it: the scheme may be missing."""
    try:
        split_url(text if "://" in text else f"http://{text}", also_in_host="_")
    except ValueError:
        return False
    return True
