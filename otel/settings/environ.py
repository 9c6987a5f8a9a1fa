"""Reads environment variables: blank means not set, and all problems are collected for one report at startup."""

import string
from collections.abc import Callable, Mapping

_HOST = string.ascii_letters + string.digits + "-"
_LONGEST_LABEL = 63

_RATIO_SAMPLERS = ("traceidratio", "parentbased_traceidratio")
SAMPLERS = ("always_on", "always_off", "parentbased_always_on", "parentbased_always_off", *_RATIO_SAMPLERS)
"""Values of `OTEL_TRACES_SAMPLER` that the SDK itself implements."""


class EnvReader:
    """Reads variables and collects a problem for each invalid one: its name and the rule, never its value.

    Args:
        environ: The environment, normally `os.environ`.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._problems: dict[str, str] = {}

    @property
    def problems(self) -> list[str]:
        """One text per invalid variable, which begins with its name."""
        return list(self._problems.values())

    def raw(self, name: str) -> str:
        """Return a variable as libraries read it, with surrounding blanks; empty if it is blank."""
        value = self._environ.get(name, "")
        return value if value.strip() else ""

    def text(self, name: str, default: str = "", valid: Callable[[str], bool] | None = None, rule: str = "") -> str:
        """Return a text without surrounding blanks.

        Bytes that are not UTF-8 are invalid: Python decodes them to lone surrogates, which no log line, metric, span or
        request can represent.

        Args:
            name: Name of the variable.
            default: Value of a variable that is not set or invalid.
            valid: Returns whether the text follows the rule.
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
        """Return the parsed value of a text without surrounding blanks.

        Args:
            name: Name of the variable.
            default: Value of a variable that is not set or invalid.
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
        """Check a variable that a library reads by itself, including surrounding blanks.

        Args:
            name: Name of the variable.
            valid: Returns False or raises ValueError for a text that breaks the rule.
            rule: Completes "NAME must be".
        """
        text = self.raw(name)
        try:
            is_valid = not text or valid(text) is not False
        except ValueError:
            is_valid = False
        if not is_valid:
            self.refuse(name, rule)

    def refuse(self, name: str, rule: str) -> None:
        """Add the problem `NAME must be RULE`; only the first problem of a variable counts."""
        self.add(name, f"{name} must be {rule}")

    def add(self, name: str, problem: str) -> None:
        """Add a problem in other words; the text begins with the variable's name."""
        self._problems.setdefault(name, problem)


def is_utf8(text: str) -> bool:
    """Whether a text can be encoded as UTF-8: it has no lone surrogates."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def is_printable_ascii(text: str) -> bool:
    """Whether a text is ASCII without control characters."""
    return text.isascii() and text.isprintable()


def one_of(*allowed: str) -> Callable[[str], str]:
    """Return a parser of a few words, case-insensitive."""

    def parse(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError
        return text.lower()

    return parse


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return a parser of a whole number between two bounds, inclusive."""

    def parse(text: str) -> int:
        value = int(text) if len(text) <= len(str(most)) + 1 else most + 1
        if not least <= value <= most:
            raise ValueError
        return value

    return parse


def split_url(text: str, *, also_in_host: str = "") -> tuple[str, str, str]:
    """Split an HTTP URL.

    Not by `urllib.parse`, which accepts URLs that fail only when an event opens the connection.

    Args:
        text: The URL.
        also_in_host: Characters that a host may have besides letters, digits, `.` and `-`.

    Returns:
        The user info before an `@` (empty without one), the host in lower case without the port, and the path with its
        leading slash.

    Raises:
        ValueError: The text is not an HTTP URL.
    """
    allowed = _HOST + also_in_host
    scheme, _, rest = text.partition("://")
    if scheme not in {"http", "https"} or not is_printable_ascii(text) or " " in text:
        raise ValueError
    authority, slash, path = rest.partition("/")
    user, _, host_and_port = authority.rpartition("@")
    if host_and_port.startswith("["):
        host, bracket, port = host_and_port[1:].partition("]")
        if not bracket or ":" not in host or host.strip(string.hexdigits + ":.") or port[:1] not in {"", ":"}:
            raise ValueError
        port = port[1:]
    else:
        host, _, port = host_and_port.partition(":")
        for label in host.removesuffix(".").split("."):
            if not label or len(label) > _LONGEST_LABEL or "-" in {label[0], label[-1]} or label.strip(allowed):
                raise ValueError
    if port and not (port.isdecimal() and 0 < int(port[:6]) < 65536):
        raise ValueError
    return user, host.lower(), slash + path


PARTITION_SUFFIXES = (
    *(".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".c2s.ic.gov", ".sc2s.sgov.gov", ".cloud.adc-e.uk"),
    ".csp.hci.ic.gov",
)
"""The suffixes of AWS's hosts, by partition."""

AWS_SUFFIXES = (
    *PARTITION_SUFFIXES,
    *(".api.aws", ".api.amazonwebservices.com.cn", ".api.amazonwebservices.eu", ".api.aws.ic.gov"),
    *(".api.aws.scloud", ".api.cloud-aws.adc-e.uk", ".api.aws.hci.ic.gov"),
)
"""The same, with those of dual-stack endpoints."""

PROXY_RULE = "the URL of an HTTP proxy such as http://proxy:3128, its user and password in ASCII"


def is_proxy(text: str) -> bool:
    """Whether a text is an HTTP proxy for botocore: the scheme is optional, user and password are sent in ASCII."""
    try:
        user, _, _ = split_url(text if "://" in text else f"http://{text}", also_in_host="_")
    except ValueError:
        return False
    if "%" not in user:
        return True
    from urllib.parse import unquote

    return unquote(user).isascii()


def check_sampler(read: EnvReader, samplers: tuple[str, ...]) -> None:
    """Check the name of the sampler, and the ratio of a ratio-based one."""
    read.check("OTEL_TRACES_SAMPLER", one_of(*samplers), f"one of {', '.join(samplers)}")
    if read.raw("OTEL_TRACES_SAMPLER").lower() in _RATIO_SAMPLERS:
        read.check("OTEL_TRACES_SAMPLER_ARG", lambda text: 0 <= float(text) <= 1, "a probability from 0 to 1")


_FOREIGN = {
    "OTEL_PYTHON_CONTEXT": "unset: the function uses the context of Python",
    "OTEL_PYTHON_TRACER_PROVIDER": "unset: the function creates its own TracerProvider",
}


def check_foreign(read: EnvReader) -> None:
    """Refuse what names a part of OpenTelemetry that the function does not use: OpenTelemetry loads it, or raises."""
    for name, rule in _FOREIGN.items():
        if read.raw(name):
            read.refuse(name, rule)


def check_resource_attributes(read: EnvReader) -> None:
    """Check the resource attributes: OpenTelemetry ignores, with a warning, what is not a pair."""
    read.check("OTEL_RESOURCE_ATTRIBUTES", _are_pairs, "NAME=VALUE pairs in UTF-8, separated by commas")


def _are_pairs(text: str) -> bool:
    pairs = [item.partition("=") for item in text.split(",") if item.strip()]
    return is_utf8(text) and all(name.strip() and equals for name, equals, _ in pairs)
