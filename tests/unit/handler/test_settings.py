"""Settings are read and checked once; every problem is reported."""

import os

import pytest

from handler.errors import MarkEarningsError, SettingsError
from handler.settings import FLUSH_RESERVE_SECONDS, Settings, load_settings
from otel.settings import TelemetrySettings
from otel.settings.otlp import OtlpSettings
from tests.unit.handler.harness import ENVIRON, QUEUE_URL, settings

SECRET = "s3ntinel-value"
SOURCE = "must be 1 to 256 characters, as the source of an EventBridge event"
DIMENSION = "must be 1 to 255 ASCII characters, no control characters: it is a dimension of the metrics"
TEXTS = (
    *("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_LOG_STREAM_NAME", "OTEL_SERVICE_NAME"),
    *("EVENT_SOURCE", "ENVIRONMENT", "EARNINGS_CALENDAR_TABLE", "EARNINGS_AUDIT_TABLE", "AWS_REGION"),
)
"""What goes into log lines, metrics, spans or requests as it is."""


def problems(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        settings(**environ)
    assert str(caught.value) == "; ".join(caught.value.problems)
    return list(caught.value.problems)


def test_the_least_that_is_needed_and_every_default() -> None:
    assert load_settings({"AWS_REGION": "us-east-1", "DEAD_LETTER_QUEUE_URL": QUEUE_URL}) == Settings(
        calendar_table="earningsCalendar",
        audit_table="earningsAudit",
        dead_letter_queue_url=QUEUE_URL,
        event_source="signal9.advisor",
        connect_timeout=1.0,
        read_timeout=3.0,
        region="us-east-1",
        function_version="$LATEST",
        telemetry=TelemetrySettings(
            service="mark-earnings-processed",
            environment="dev",
            function_name="mark-earnings-processed",
            function_version="$LATEST",
            service_version="$LATEST",
            log_stream="local",
            log_group="",
            region="us-east-1",
            memory_mb=128,
            log_level=20,
            tracing=True,
            adot_fast_start=False,
            otlp=None,
            parent_source="lambda",
            daemon=("127.0.0.1", 2000),
        ),
    )


def test_every_value() -> None:
    found = settings(
        EARNINGS_CALENDAR_TABLE="calendar",
        EARNINGS_AUDIT_TABLE="audit",
        EVENT_SOURCE="other.producer",
        ENVIRONMENT="prod",
        AWS_CONNECT_TIMEOUT_SECONDS="0.5",
        AWS_READ_TIMEOUT_SECONDS="2",
        AWS_LAMBDA_FUNCTION_NAME="the-function",
        AWS_LAMBDA_FUNCTION_VERSION="12",
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE="256",
        AWS_LAMBDA_LOG_STREAM_NAME="stream",
        AWS_LAMBDA_LOG_LEVEL="DEBUG",
        AWS_XRAY_DAEMON_ADDRESS="169.254.79.129:2001",
        OTEL_SERVICE_NAME="the-service",
        SERVICE_VERSION="0c0ffee",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://localhost:4318",
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
    )
    assert (found.calendar_table, found.audit_table, found.event_source) == ("calendar", "audit", "other.producer")
    assert (found.connect_timeout, found.read_timeout, found.attempt_timeout) == (0.5, 2.0, 2.5)
    assert found.function_version == "12"
    assert found.telemetry == TelemetrySettings(
        service="the-service",
        environment="prod",
        function_name="the-function",
        function_version="12",
        service_version="0c0ffee",
        log_stream="stream",
        log_group="",
        region="us-east-1",
        memory_mb=256,
        log_level=10,
        tracing=True,
        adot_fast_start=False,
        otlp=OtlpSettings("http://localhost:4318/v1/traces"),
        parent_source="lambda",
        daemon=("169.254.79.129", 2001),
    )


def test_the_flush_reserve() -> None:
    assert FLUSH_RESERVE_SECONDS == 2.0


def test_the_service_name_defaults_to_the_function_name() -> None:
    assert settings(AWS_LAMBDA_FUNCTION_NAME="the-function").telemetry.service == "the-function"


def test_either_name_of_the_region() -> None:
    environ = {"DEAD_LETTER_QUEUE_URL": "http://localhost/queue"}
    assert load_settings(environ | {"AWS_DEFAULT_REGION": "eu-west-1"}).region == "eu-west-1"
    assert load_settings(environ | {"AWS_DEFAULT_REGION": "x", "AWS_REGION": "eu-north-1"}).region == "eu-north-1"


@pytest.mark.parametrize("name", ["EARNINGS_CALENDAR_TABLE", "AWS_READ_TIMEOUT_SECONDS", "AWS_XRAY_DAEMON_ADDRESS"])
@pytest.mark.parametrize("blank", ["", "   "])
def test_blank_is_not_set(name: str, blank: str) -> None:
    assert settings(**{name: blank}) == settings()


def test_blanks_around_a_value_are_dropped() -> None:
    assert settings(EARNINGS_AUDIT_TABLE=" audit\n").audit_table == "audit"


@pytest.mark.parametrize(
    ("name", "bad", "problem"),
    [
        ("AWS_REGION", "no region", "AWS_REGION must be the name of a region such as eu-central-1"),
        (
            "DEAD_LETTER_QUEUE_URL",
            "earnings-dead-letters",
            "DEAD_LETTER_QUEUE_URL must be a URL such as https://sqs.REGION.amazonaws.com/ACCOUNT/NAME",
        ),
        *(
            (name, bad, f"{name} must be seconds between 0 and 60")
            for name in ("AWS_CONNECT_TIMEOUT_SECONDS", "AWS_READ_TIMEOUT_SECONDS")
            for bad in ("soon", "0", "-1", "61", "nan", "inf", "1s")
        ),
        *(
            (
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
                bad,
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE must be a whole number of megabytes",
            )
            for bad in ("much", "0", "-128", "128.5", "9" * 5000)
        ),
        (
            "AWS_LAMBDA_LOG_LEVEL",
            "loud",
            "AWS_LAMBDA_LOG_LEVEL must be one of TRACE, DEBUG, INFO, WARN, WARNING, ERROR, FATAL",
        ),
        *(
            (
                "AWS_XRAY_DAEMON_ADDRESS",
                bad,
                "AWS_XRAY_DAEMON_ADDRESS must be host:port of the X-Ray daemon's UDP socket",
            )
            for bad in ("localhost", "localhost:", ":2000", "h:0", "h:65536", "h:x", "tcp:h:2000", "\u00fc:2000")
        ),
        *(
            (name, bad, f"{name} must be a URL such as http://localhost:4318")
            for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
            for bad in ("localhost:4318", "ftp://localhost")
        ),
        *(
            (name, "grpc", f"{name} must be http/protobuf (the only protocol that this function supports)")
            for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
        ),
        ("OTEL_TRACES_EXPORTER", "zipkin", "OTEL_TRACES_EXPORTER must be otlp or none"),
        ("OTEL_SDK_DISABLED", "perhaps", "OTEL_SDK_DISABLED must be true or false"),
        *(
            (name, bad, f"{name} must be a URL such as http://localhost:8000, its host of letters, digits, . and -")
            for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS")
            for bad in ("localhost:8000", "http://", "http://my_service:8000", "http://host:port", "http://a b/")
        ),
        *(("EVENT_SOURCE", bad, "EVENT_SOURCE " + SOURCE) for bad in ("s" * 257, "\u00fc" * 257)),
        *(
            ("ENVIRONMENT", bad, "ENVIRONMENT " + DIMENSION)
            for bad in ("e" * 256, "pr\u00f6d", "a\x01b", "a\nb", "a\x7fb", "\u2603", "\U0001f600")
        ),
    ],
)
def test_each_wrong_value_gives_its_one_clear_problem(name: str, bad: str, problem: str) -> None:
    assert problems(**{name: bad}) == [problem]


@pytest.mark.parametrize("name", [*TEXTS, "DEAD_LETTER_QUEUE_URL"])
def test_bytes_that_are_not_utf8(name: str) -> None:
    assert problems(**{name: os.fsdecode(b"a\xff\xfeb")}) == [f"{name} must be text in UTF-8"]


@pytest.mark.parametrize("name", ["AWS_LAMBDA_FUNCTION_NAME", "OTEL_SERVICE_NAME", "EVENT_SOURCE"])
def test_text_beyond_ascii(name: str) -> None:
    assert settings(**{name: "\u00fc\u2603"}) != settings()


@pytest.mark.parametrize("good", ["e", "e" * 255, "prod eu", "~!@"])
def test_environments(good: str) -> None:
    assert settings(ENVIRONMENT=good).telemetry.environment == good


def test_an_invalid_environment_is_not_in_the_line_about_it() -> None:
    with pytest.raises(SettingsError) as caught:
        settings(ENVIRONMENT="pr\u00f6d", OTEL_SERVICE_NAME="\udcff", AWS_LAMBDA_FUNCTION_NAME="fn")
    assert (caught.value.telemetry.environment, caught.value.telemetry.service) == ("dev", "fn")


@pytest.mark.parametrize(
    "good",
    ["http://localhost:8000", "https://dynamodb.us-east-1.amazonaws.com", "http://[::1]:80", "http://10.0.0.1/x"],
)
def test_endpoints(good: str) -> None:
    assert settings(AWS_ENDPOINT_URL=good, AWS_ENDPOINT_URL_DYNAMODB=good) == settings()


def test_what_is_missing() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({})
    assert caught.value.problems == (
        "AWS_REGION is not set: give the region of the tables and the queue",
        "DEAD_LETTER_QUEUE_URL is not set: give the URL of the SQS queue for events that cannot succeed",
    )


def test_all_problems_at_once_and_no_value_among_them() -> None:
    wrong = dict.fromkeys(
        (
            *("AWS_CONNECT_TIMEOUT_SECONDS", "AWS_READ_TIMEOUT_SECONDS", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
            *("AWS_LAMBDA_LOG_LEVEL", "AWS_XRAY_DAEMON_ADDRESS", "DEAD_LETTER_QUEUE_URL", "AWS_ENDPOINT_URL_SQS"),
            *("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_TRACES_EXPORTER"),
        ),
        SECRET,
    )
    found = problems(**wrong)
    assert sorted(problem.split()[0] for problem in found) == sorted(wrong)
    assert SECRET not in "".join(found)


def test_telemetry_as_far_as_it_could_be_read_comes_with_the_problems() -> None:
    with pytest.raises(MarkEarningsError) as caught:
        load_settings({"ENVIRONMENT": "prod", "AWS_LAMBDA_LOG_LEVEL": "loud"})
    assert isinstance(caught.value, SettingsError)
    assert (caught.value.telemetry.environment, caught.value.telemetry.log_level) == ("prod", 20)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:2000", ("localhost", 2000)),
        ("[::1]:2000", ("::1", 2000)),
        ("udp:10.0.0.1:3000 tcp:10.0.0.2:3001", ("10.0.0.1", 3000)),
        ("tcp:10.0.0.2:3001 udp:10.0.0.1:3000", ("10.0.0.1", 3000)),
    ],
)
def test_every_form_of_the_daemons_address(text: str, address: tuple[str, int]) -> None:
    assert settings(AWS_XRAY_DAEMON_ADDRESS=text).telemetry.daemon == address


@pytest.mark.parametrize(
    ("level", "number"), [("trace", 10), ("Debug", 10), ("INFO", 20), ("warn", 30), ("ERROR", 40), ("FATAL", 50)]
)
def test_log_levels(level: str, number: int) -> None:
    assert settings(AWS_LAMBDA_LOG_LEVEL=level).telemetry.log_level == number


@pytest.mark.parametrize(
    ("environ", "tracing", "collector"),
    [
        ({}, True, False),
        ({"OTEL_SDK_DISABLED": "TRUE"}, False, False),
        ({"OTEL_SDK_DISABLED": "false"}, True, False),
        ({"OTEL_TRACES_EXPORTER": "none"}, False, False),
        ({"OTEL_TRACES_EXPORTER": "OTLP"}, True, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, True, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector/v1/traces"}, True, True),
    ],
)
def test_whether_spans_are_made_and_where_they_go(environ: dict[str, str], tracing: bool, collector: bool) -> None:
    found = settings(**environ).telemetry
    assert (found.tracing, found.collector) == (tracing, collector)


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError):
        settings().region = "elsewhere"  # type: ignore[misc]


def test_the_harness_sets_only_required_variables() -> None:
    for name in ENVIRON:
        with pytest.raises(SettingsError):
            load_settings({other: value for other, value in ENVIRON.items() if other != name})
