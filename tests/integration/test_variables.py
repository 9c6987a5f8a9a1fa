"""The function's real process with a wrong value in every environment variable that it, or a library of its, reads."""

import ast
import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from emulator.environment import LOCAL_CREDENTIALS, PROJECT_ROOT
from handler.coldstart.constants import CONSTANTS
from otel.event_types import EventType
from tests.integration.harness import Services
from tests.integration.variables import (
    COLLECTOR,
    LAYER,
    LAYER_DEFAULT,
    NO_EFFECT,
    NOT_UTF8,
    OURS,
    REFUSED,
    WRONG,
    of_the_libraries,
    variables,
)
from tests.support.events import DATE, unique_event
from tests.support.harness import function_environ
from tests.support.sandbox import Sandbox, sandbox_process
from tests.support.thorough import few
from tests.unit.otel.loopback import loopback

WRAPPER = PROJECT_ROOT / "deploy" / "image" / "layer" / "otel-instrument"
LEAST = {"DEAD_LETTER_QUEUE_URL": "http://127.0.0.1:9/000000000000/dead-letters"}


def refused(sandbox: Sandbox) -> list[str]:
    """What the one line of a start that failed says is wrong."""
    failed = sandbox.worker.start()
    assert failed is not None, "it has started"
    assert failed.error_text() == "Runtime.ExitError: Runtime exited with error: exit status 1"
    assert sandbox.stderr == []
    (line,) = sandbox.logs
    assert (line["level"], line["event_type"]) == ("FATAL", EventType.START_FAILED)
    assert WRONG not in "".join(sandbox.stdout).lower()
    return list(line["problems"])


NOT_LOOKED_AT = {
    *("AWS_DEFAULT_REGION", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),  # beside another that comes first
    *(name.replace("_TRACES", "") for name in REFUSED if re.search("_TRACES_(C|HEADERS|TIMEOUT)", name)),
    *("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_TRACES_SAMPLER"),
    *("AWS_CREDENTIAL_EXPIRATION", "AWS_DEFAULT_PROFILE", "AWS_PROFILE"),  # boto3 is asked when all else is right
    *("OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"),  # would be the only ones wrong of OpenTelemetry's
}


def alone(names: Iterable[str]) -> list[str]:
    """Those that are tried alone, in a process each: some of those that one process refuses in one line."""
    return [name for name in names if name in NOT_LOOKED_AT] + few(sorted({*names} - NOT_LOOKED_AT), of=6)


@pytest.mark.parametrize("name", alone(REFUSED))
def test_a_wrong_value_is_one_line_that_names_the_variable(name: str) -> None:
    with sandbox_process(LEAST | variables(name)) as sandbox:
        (problem,) = refused(sandbox)

    assert problem.startswith(f"{name} must be ")


@pytest.mark.parametrize(
    ("fast_start", "name"),
    few([*(("true", name) for name in LAYER), *(("false", name) for name in LAYER_DEFAULT)], of=4),
)
def test_so_it_is_where_adots_layer_would_read_it_first(fast_start: str, name: str) -> None:
    layer = {"AWS_LAMBDA_EXEC_WRAPPER": str(WRAPPER), "OTEL_AWS_LAMBDA_FAST_START": fast_start}
    with sandbox_process({**LEAST, **layer, **variables(name, LAYER_DEFAULT)}) as sandbox:
        (problem,) = refused(sandbox)

    assert problem.startswith(f"{name} must be ")


def test_all_that_is_wrong_is_in_one_line() -> None:
    names = set(REFUSED) - NOT_LOOKED_AT
    given = dict(LEAST)
    for name in names:
        given |= variables(name)
    with sandbox_process(given | {name: str(REFUSED[name]) for name in COLLECTOR}) as sandbox:
        problems = refused(sandbox)

    assert sorted(problem.split()[0] for problem in problems) == sorted(names)


@pytest.mark.parametrize("collector", [False, True])
@pytest.mark.parametrize("value", [WRONG, NOT_UTF8], ids=["a word", "no UTF-8"])
def test_what_has_no_effect_has_none(services: Services, value: str, collector: bool) -> None:
    event, lost = unique_event(), unique_event()
    services.tables.put_row(event["detail"]["asset_symbol"], DATE)
    with loopback() as receiver:
        given = function_environ(services.tables, services.queue) | dict.fromkeys(NO_EFFECT, value)
        if collector:
            given |= {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
        with sandbox_process(given) as sandbox:
            results = [sandbox.invoke(each) for each in (event, event, lost)]
        posts = len(receiver.requests)

    assert [json.loads(result.payload)["outcome"] for result in results] == ["marked", "duplicate", "dead_lettered"]
    named, *outcomes = sandbox.logs
    assert [line.get("outcome") for line in outcomes] == ["marked", "duplicate", "dead_lettered"]
    assert [problem.split()[0] for problem in named["problems"]] == sorted(
        {name for name in NO_EFFECT if name.startswith("OTEL_")} - {"OTEL_TRACES_SAMPLER_ARG"}  # of other samplers
    )
    assert len(sandbox.metrics) == 3
    assert posts == (3 if collector else 0)
    assert len(sandbox.spans) == (0 if collector else 2 + 2 + 3)
    assert sandbox.stderr == []
    assert WRONG not in "".join(sandbox.stdout)


BLANK = sorted({*REFUSED} - {"DEAD_LETTER_QUEUE_URL", "AWS_REGION", "AWS_DEFAULT_REGION"})


def test_blank_is_not_set(services: Services) -> None:
    """To OpenTelemetry's exporter a blank certificate is no verification, and a blank compression an exception."""
    needed = {"AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS", "EARNINGS_CALENDAR_TABLE", "EARNINGS_AUDIT_TABLE"}
    needed |= {*LOCAL_CREDENTIALS, *COLLECTOR}
    event = unique_event()
    services.tables.put_row(event["detail"]["asset_symbol"], DATE)
    with loopback() as receiver:
        given = function_environ(services.tables, services.queue) | {
            name: "" if name.lower().endswith("_proxy") else " " for name in set(BLANK) - needed
        }
        with sandbox_process(given | {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}) as sandbox:
            result = sandbox.invoke(event)
        posts = len(receiver.requests)

    assert json.loads(result.payload)["outcome"] == "marked"
    assert [line.get("outcome") for line in sandbox.logs] == ["marked"]
    assert posts == 1
    assert sandbox.stderr == []


def test_every_variable_that_the_libraries_list_is_here() -> None:
    known = {*REFUSED, *NO_EFFECT}
    assert of_the_libraries() - known == set()


def test_every_variable_that_the_function_names_is_here() -> None:
    named: set[str] = set()
    for path in [*PROJECT_ROOT.glob("handler/**/*.py"), *PROJECT_ROOT.glob("otel/**/*.py")]:
        named |= {
            text
            for text in _texts(path)
            if re.fullmatch(r"(AWS|OTEL|EARNINGS|DEAD_LETTER|HANDLER)_[A-Z0-9_]+[A-Z0-9]", text)
        }
    others = {
        *("AWS_LAMBDA_EXEC_WRAPPER", "OTEL_AWS_LAMBDA_FAST_START"),  # whether the layer is on, and how
        *("OTEL_EXPORTER_OTLP", "OTEL_EXPORTER_OTLP_TRACES"),  # parts of names
        *("OTEL_SPAN_PARENT_ORIGIN", "OTEL_SPAN_SAMPLING_RESULT"),  # attributes that opentelemetry.sdk imports
        # named with an effect in the layer, or set by its script
        *("OTEL_AWS_APPLICATION_SIGNALS_ENABLED", "OTEL_AWS_APPLICATION_SIGNALS_RUNTIME_ENABLED"),
        *("OTEL_PYTHON_CONFIGURATOR", "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "OTEL_PYTHON_DISTRO"),
        "AWS_LAMBDA_INITIALIZATION_TYPE",  # Lambda's word on a snapshot
        # wrong only together with others: tests/integration/handler/test_client_problems.py
        *("AWS_ACCOUNT_ID", "AWS_CONFIG_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_ROLE_ARN"),
        *("AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    }
    assert set(OURS) <= named | {"ENVIRONMENT", "EVENT_SOURCE", "SERVICE_VERSION"}
    attributes = {name for constants in CONSTANTS.values() for name in constants}  # as OpenTelemetry names them
    assert named - {*REFUSED, *NO_EFFECT} - others - attributes == set()


def _texts(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
