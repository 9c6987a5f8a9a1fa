"""`mep local --env`: the function's own check, and the names that a local run sets itself."""

from pathlib import Path

import pytest

from emulator.environment import FunctionConfig
from handler.errors import SettingsError
from handler.settings import load_settings
from mep.errors import UsageError
from mep.local.function_env import check_env, parse_env
from mep.local.options import RunOptions
from mep.local.stack import check_options
from tests.integration.variables import OURS
from tests.support.command_line import mep

BASE = FunctionConfig(settings={"DEAD_LETTER_QUEUE_URL": "http://127.0.0.1:1/000000000000/q", "ENVIRONMENT": "local"})


LOADER = (
    *("PYTHONHOME", "PYTHONINSPECT", "PYTHONPLATLIBDIR", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHON_FROZEN_MODULES"),
    *("LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "MALLOC_PERTURB_"),
)
"""Variables of the interpreter and of the loader."""


def options(*env: str, **more: object) -> RunOptions:
    return RunOptions(Path("none.csv"), None, Path("none"), env=tuple(parse_env(env).items()), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "setting",
    [
        *("OTEL_SDK_DISABLED=true", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318", "EVENT_SOURCE=any.source"),
        *("AWS_READ_TIMEOUT_SECONDS=0.2", "ENVIRONMENT=test", "HANDLER_COLD_START=standard", "OTEL_SDK_DISABLED="),
        *("OTEL_RESOURCE_ATTRIBUTES=a=b,c=d", "AWS_MAX_ATTEMPTS=9", "https_proxy=http://127.0.0.1:1"),
        *("OTEL_AWS_APPLICATION_SIGNALS_ENABLED=true", "AWS_LAMBDA_LOG_LEVEL=DEBUG", "PYTHONWARNINGS=error"),
    ],
)
def test_accepted(setting: str) -> None:
    check_options(options(setting))


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("EARNINGS_CALENDAR_TABLE=xx", "is set by `mep local`: the table is earningsCalendar"),
        ("AWS_ENDPOINT_URL_SQS=http://127.0.0.1:1", "is set by `mep local`"),
        ("AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:1", "use --endpoint-url"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128", "use --memory"),
        ("AWS_SECRET_ACCESS_KEY=x", "is set by `mep local`"),
        ("AWS_SESSION_TOKEN=x", "is set by `mep local`"),
        ("AWS_LAMBDA_RUNTIME_API=x", "is set by `mep local`"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true", "would send the calls of a local run to AWS"),
        ("EVENT_SORCE=x", "did you mean EVENT_SOURCE?"),
        ("AWS_READ_TIMEOUT_SECOND=3", "did you mean AWS_READ_TIMEOUT_SECONDS?"),
        ("OTEL_EXPORTER_OLTP_ENDPOINT=http://127.0.0.1:1", "did you mean OTEL_EXPORTER_OTLP_ENDPOINT?"),
        *((f"{name}=/x", f"{name} changes the interpreter or the code") for name in LOADER),
        ("FOO=x", "FOO is not a setting of the function"),
        ("AWS_LAMBDA_EXEC_WRAPPER=/no/such/wrapper", "must be a file on this machine"),
        ("x", "must be KEY=VALUE"),
        ("=x", "must be KEY=VALUE"),
        ("A B=x", "must be KEY=VALUE"),
    ],
)
def test_refused_in_one_line(setting: str, reason: str) -> None:
    with pytest.raises(UsageError, match=r"^--env") as refused:
        check_options(options(setting))

    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


CHECKED = ("AWS_CONNECT_TIMEOUT_SECONDS", "AWS_LAMBDA_LOG_LEVEL", "AWS_READ_TIMEOUT_SECONDS", "ENVIRONMENT")


@pytest.mark.parametrize("name", [*CHECKED, "OTEL_SDK_DISABLED", "OTEL_TRACES_SAMPLER", "HANDLER_COLD_START"])
def test_what_the_function_refuses_is_refused_in_the_same_words(name: str) -> None:
    given = OURS.get(name, "\N{SNOWMAN} wrong")
    settings = {name: given} if isinstance(given, str) else dict(given)
    with pytest.raises(SettingsError) as by_the_function:
        load_settings({**BASE.environment("127.0.0.1:1"), **settings})

    with pytest.raises(UsageError) as refused:
        check_env(settings, BASE)

    assert str(refused.value) == f"--env: {by_the_function.value}"


def test_a_container_has_its_own_settings() -> None:
    with pytest.raises(UsageError, match="--function-url"):
        check_options(options("OTEL_SDK_DISABLED=true", function_url="http://127.0.0.1:9000"))


@pytest.mark.parametrize(
    ("setting", "timeout", "has_note"),
    [
        ("AWS_READ_TIMEOUT_SECONDS=40", 30, True),
        ("AWS_READ_TIMEOUT_SECONDS=26.5", 30, False),
        ("AWS_CONNECT_TIMEOUT_SECONDS=25", 30, True),
        ("EVENT_SOURCE=x", 6, True),
        ("EVENT_SOURCE=x", 7, False),
    ],
)
def test_a_timeout_without_time_for_an_attempt_is_named(setting: str, timeout: int, *, has_note: bool) -> None:
    note = check_options(options(setting, timeout_s=timeout))

    assert note.startswith(f"no attempt fits into the timeout of {timeout} s") == has_note
    assert "\n" not in note
    assert not check_options(options(function_url="http://127.0.0.1:9000", timeout_s=timeout))


def test_the_command_stops_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--calendar", tmp_path / "none.csv", "--events", tmp_path / "none", "--out", tmp_path / "out"]

    assert mep(monkeypatch, "local", *files, "--env", "AWS_READ_TIMEOUT_SECONDS=abc", "--env", "EVENT_SOURCE=x") == 2
    assert capsys.readouterr().err == "mep: --env: AWS_READ_TIMEOUT_SECONDS must be seconds between 0 and 60\n"
    assert list(tmp_path.iterdir()) == []
