"""`mep local --env`: settings for the function, checked before anything starts, by the function's own check."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from emulator.environment import FunctionConfig
from handler.contract import AUDIT, CALENDAR
from handler.errors import SettingsError
from handler.settings import FLUSH_RESERVE_SECONDS, load_settings
from mep.errors import UsageError
from otel.settings import LAYER_SWITCH

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN = ("AWS_CONNECT_TIMEOUT_SECONDS", "AWS_READ_TIMEOUT_SECONDS", "ENVIRONMENT", "EVENT_SOURCE", "HANDLER_COLD_START")
"""The settings that only this function has. The others belong to AWS SDKs and OpenTelemetry."""

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""The variables that send spans to an OTLP endpoint."""

_LIBRARIES = ("AWS_", "OTEL_")
_NETWORK = frozenset(
    {
        *("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
        *("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "SSLKEYLOGFILE", "SSL_CERT_DIR", "SSL_CERT_FILE"),
    }
)
_INTERPRETER = ("PYTHON", "LD_", "DYLD_", "MALLOC_", "GCONV_")
_OF_INTERPRETER = frozenset(
    {
        *("PYTHONASYNCIODEBUG", "PYTHONDEVMODE", "PYTHONFAULTHANDLER", "PYTHONHASHSEED", "PYTHONMALLOC"),
        *("PYTHONTRACEMALLOC", "PYTHONUTF8", "PYTHONWARNINGS"),
    }
)
"""The interpreter's variables that change neither where it finds code nor how it ends."""
_CREDENTIALS = frozenset(
    {
        *("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN"),
        *("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CREDENTIAL_EXPIRATION"),
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    }
)
_ADVICE: Mapping[str, str] = {
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "use --memory",
    "AWS_ENDPOINT_URL_DYNAMODB": "use --endpoint-url",
    "AWS_REGION": "with --endpoint-url, your own AWS_REGION is used",
    "AWS_DEFAULT_REGION": "with --endpoint-url, your own AWS_REGION is used",
    "AWS_ACCESS_KEY_ID": "with --endpoint-url, your own credentials are used",
    "AWS_SECRET_ACCESS_KEY": "with --endpoint-url, your own credentials are used",
    "AWS_XRAY_DAEMON_ADDRESS": "for spans elsewhere, set OTEL_EXPORTER_OTLP_ENDPOINT",
    CALENDAR.variable: f"the table is {CALENDAR.default}",
    AUDIT.variable: f"the table is {AUDIT.default}",
}


class _Recorder(dict[str, str]):
    """An environment that remembers which variables were read."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.names.add(key)
        return super().get(key, default)


def parse_env(words: Sequence[str]) -> dict[str, str]:
    """Return the values of `--env` by name; the last value of a name counts.

    Args:
        words: The values of the option: `KEY=VALUE`.

    Raises:
        UsageError: One has another form.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise UsageError(f"--env {name}: must be KEY=VALUE, such as --env OTEL_SDK_DISABLED=true")
        if "\0" in value:
            raise UsageError(f"--env {name}: a variable cannot contain a zero byte")
        found[name] = value
    return found


def check_env(settings: Mapping[str, str], base: FunctionConfig) -> None:
    """Check settings for the function, and refuse what the function would refuse when it starts, in the same words.

    Args:
        settings: The settings by name.
        base: The function's configuration without them: what it sets, they may not replace.

    Raises:
        UsageError: A name is reserved for `mep local` or unknown, or the function refuses a value.
    """
    fixed = base.environment("127.0.0.1:1")
    environ = _Recorder({**fixed, **settings})
    problems: list[str] = []
    try:
        load_settings(environ)
    except SettingsError as error:
        problems += error.problems
    names = [text for name in settings if (text := _name_problem(name, fixed, environ.names))]
    wrapper = settings.get(LAYER_SWITCH, "").strip()
    if wrapper and not Path(wrapper).is_file():
        names.append(f"{LAYER_SWITCH} must be a file on this machine: the layer is in the container image")
    if names or problems:
        raise UsageError(f"--env: {'; '.join(names or problems)}")


def time_note(settings: Mapping[str, str], base: FunctionConfig, timeout_s: float) -> str:
    """Return that the timeout leaves no time for an attempt, so that every event is raised; empty where it does.

    Args:
        settings: The settings of `--env`, which are valid.
        base: The function's configuration without them.
        timeout_s: The function's timeout in seconds.
    """
    loaded = load_settings({**base.environment("127.0.0.1:1"), **settings})
    needed = loaded.attempt_timeout + FLUSH_RESERVE_SECONDS
    if timeout_s > needed:
        return ""
    return (
        f"no attempt fits into the timeout of {timeout_s:g} s, so every valid event is raised: an attempt may take "
        f"{loaded.connect_timeout:g} s (AWS_CONNECT_TIMEOUT_SECONDS) and {loaded.read_timeout:g} s "
        f"(AWS_READ_TIMEOUT_SECONDS), and {FLUSH_RESERVE_SECONDS:g} s are reserved for telemetry; "
        f"--timeout must be more than {needed:g}"
    )


def _name_problem(name: str, fixed: Mapping[str, str], read: set[str]) -> str | None:
    """Return why a name is refused; None where it is not."""
    if (name in fixed and name != "ENVIRONMENT") or name in _CREDENTIALS:
        advice = _ADVICE.get(name)
        return f"{name} is set by `mep local`{f': {advice}' if advice else ''}"
    known = {*_OWN, *read, *_NETWORK, *_OF_INTERPRETER, *_of_libraries()}
    if harm := _harm(name):
        return f"{name} {harm}"
    if name in known or name.upper() in _NETWORK or name.startswith("AWS_ENDPOINT_URL"):
        return None
    if close := get_close_matches(name.upper(), sorted(known), n=1, cutoff=0.9):
        return f"{name} is not a setting of the function: did you mean {close[0]}?"
    text = f"{name} is not a setting of the function: its own are {', '.join(_OWN)}; others begin with AWS_ or OTEL_"
    return None if name.startswith(_LIBRARIES) else text


def _harm(name: str) -> str:
    """Return what a variable would do that no run may do; empty where it does nothing of the kind."""
    if name == "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS":
        return "would send the calls of a local run to AWS"
    if name.startswith(_INTERPRETER) and name not in _OF_INTERPRETER:
        return "changes the interpreter or the code that the function runs with, which are those of `mep`"
    return ""


def _of_libraries() -> Iterator[str]:
    """Yield the variables that botocore and OpenTelemetry list."""
    from botocore.session import Session
    from opentelemetry import environment_variables as api
    from opentelemetry.sdk import environment_variables as sdk

    session: Any = Session
    for _, names, *_ in session.SESSION_VARIABLES.values():
        yield from (names,) if isinstance(names, str) else names or ()
    for value in (*vars(api).values(), *vars(sdk).values()):
        if isinstance(value, str) and value.startswith("OTEL_"):
            yield value
