"""Values of credentials: those that no request can carry are refused, and none is printed."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from mep.errors import UsageError

VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
"""The variables with credentials, in the order in which boto3 reads them."""

_SECRETS = (*VARIABLES[1:], "AWS_CONTAINER_AUTHORIZATION_TOKEN", "OTEL_EXPORTER_OTLP_HEADERS")
_SECRET_PREFIX = "AWS_BEARER_TOKEN_"  # noqa: S105 - a part of a variable's name
_PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"})
_PRINTABLE = re.compile(r"[!-~]+")
_MIN_LENGTH = 8  # shorter values are words such as `local`, and occur in other texts


def is_malformed(value: str | None) -> bool:
    """Return whether a credential has a character that no request can carry, such as a line end or a blank."""
    return value is not None and value != "" and _PRINTABLE.fullmatch(value) is None


def check_variables(environ: Mapping[str, str]) -> None:
    """Check the variables with credentials before a client signs with them.

    Python's HTTP client would quote the value in its error.

    Raises:
        UsageError: One has a line end, a blank or another character that no credential has.
    """
    for name in VARIABLES:
        if is_malformed(environ.get(name, "")):
            raise UsageError(
                f"{name} has a line end, a blank or a character that is not ASCII: set it again, or unset it"
            )


def redact(text: str, environ: Mapping[str, str]) -> str:
    """Return `text` with the name of the variable in place of each secret value, also where it is quoted or escaped.

    Args:
        text: A line for the user.
        environ: The environment with the secrets.
    """
    for name, value in _secrets(environ):
        # Python's messages quote a text, or the bytes of it; white space may have been replaced since.
        for part in filter(lambda part: len(part) >= _MIN_LENGTH, value.split()):
            for form in {part, repr(part)[1:-1], ascii(part)[1:-1], repr(part.encode(errors="surrogateescape"))[2:-1]}:
                text = text.replace(form, f"[{name}]")
    return text


def _secrets(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in environ.items():
        if name in _SECRETS or name.startswith(_SECRET_PREFIX):
            yield name, value
        elif name.upper() in _PROXIES and (password := _password(value)):
            yield name, password


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""
