"""The hooks of SnapStart, part by part; `tests/integration/test_restore.py` restores whole sandboxes."""

import gc
import json
import threading
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
import snapshot_restore_py  # type: ignore[import-untyped]
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import DEFAULT_CA_BUNDLE
from urllib3.util.ssl_ import create_urllib3_context

from handler.aws import dynamodb_client, sqs_client
from handler.dead_letters import DeadLetterQueue
from handler.snapshot import hooks
from handler.snapshot.hooks import SnapshotHooks
from handler.snapshot.loopback import loopback
from handler.snapshot.priming import prime
from handler.snapshot.tls import preload_authorities
from tests.support.harness import lambda_environment, running_processor
from tests.support.udp import span_socket
from tests.unit.handler.harness import ENVIRON, settings

SETTINGS = settings(AWS_LAMBDA_INITIALIZATION_TYPE="snap-start")


def client(url: str) -> Any:
    made: Any = boto3.client(
        "dynamodb",
        region_name="us-east-1",
        endpoint_url=url,
        verify=DEFAULT_CA_BUNDLE,
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}),
    )
    manager = vars(made._endpoint.http_session)["_manager"]
    manager.connection_pool_kw["ssl_context"] = create_urllib3_context()  # the test run's own clients have none
    return made


@pytest.fixture
def frozen() -> Iterator[None]:
    """The hook freezes every object of the process, which here is that of the test run."""
    yield
    gc.unfreeze()


def test_the_certificate_authorities_are_read_once() -> None:
    over_tls = client("https://dynamodb.us-east-1.amazonaws.com")
    preload_authorities(over_tls)
    context = vars(over_tls._endpoint.http_session)["_manager"].connection_pool_kw["ssl_context"]

    known = context.cert_store_stats()["x509_ca"]
    assert known > 100
    context.load_verify_locations(DEFAULT_CA_BUNDLE, None, None)  # as urllib3 does for each connection
    assert context.cert_store_stats()["x509_ca"] == known
    with pytest.raises(FileNotFoundError):
        context.load_verify_locations("/another/file", None, None)


def test_a_connection_has_the_context_that_was_preloaded() -> None:
    over_tls = client("https://127.0.0.1:1")
    preload_authorities(over_tls)
    session = over_tls._endpoint.http_session
    pool = session._manager.connection_from_url("https://127.0.0.1:1")

    assert pool._new_conn().ssl_context is session._manager.connection_pool_kw["ssl_context"]


def test_without_tls_there_is_nothing_to_read() -> None:
    preload_authorities(client("http://127.0.0.1:1"))


def test_no_request_of_the_priming_goes_to_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a proxy, none is sent: the processor of `None` would fail."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    plain = client("http://127.0.0.1:1")

    prime(SETTINGS, plain, DeadLetterQueue(lambda: plain, "http://127.0.0.1:1/queue"), tracing=None)


@pytest.mark.usefixtures("frozen")
def test_a_failed_priming_is_one_line() -> None:
    lines: list[bytes] = []
    dead_letters = DeadLetterQueue(lambda: None, "")  # type: ignore[arg-type, return-value]
    telemetry: Any = None

    SnapshotHooks(
        SETTINGS, dynamodb=None, dead_letters=dead_letters, telemetry=telemetry, tracing=None, write=lines.append
    ).before_snapshot()

    (line,) = map(json.loads, lines)
    assert (line["message"], line["exception_type"]) == (hooks.NOT_PRIMED, "AttributeError")
    assert [thread.name for thread in threading.enumerate() if thread.name == "priming"] == []


@pytest.mark.parametrize("cold_start", ["fast", "standard"])
@pytest.mark.parametrize("mode", ["preferred", "required"])
def test_priming_where_endpoints_are_of_an_account(monkeypatch: pytest.MonkeyPatch, cold_start: str, mode: str) -> None:
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", mode)
    read = settings(AWS_LAMBDA_INITIALIZATION_TYPE="snap-start", HANDLER_COLD_START=cold_start)
    dynamodb, sqs = dynamodb_client(read), sqs_client(read)
    sent: list[str] = []
    for each in (dynamodb, sqs):  # NO_PROXY alone names no proxy: the tests have it
        each.meta.events.register_last("before-send", lambda request, **_: sent.append(request.url))

    prime(read, dynamodb, DeadLetterQueue(lambda: sqs, read.dead_letter_queue_url), tracing=None)

    assert len(sent) == 6
    assert {url.rpartition(":")[0] for url in sent} == {"http://127.0.0.1"}


def test_a_request_that_no_reply_is_left_for_is_refused_and_ends_nothing() -> None:
    with loopback() as server:
        plain = client(server.url)
        with pytest.raises(ConnectionClosedError):
            plain.list_tables()
        server.replies.append((200, {"TableNames": []}))
        assert plain.list_tables()["TableNames"] == []


MODES: dict[str, dict[str, str]] = {
    "direct": {},
    "collector": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
    "without tracing": {"OTEL_SDK_DISABLED": "true"},
}


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("mode", MODES)
def test_the_priming_leaves_nothing(mode: str) -> None:
    """As in a restored sandbox, with everything in this process."""
    lines: list[bytes] = []
    with (
        span_socket() as daemon,
        lambda_environment(
            {
                **ENVIRON,
                **MODES[mode],
                "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
                "AWS_XRAY_DAEMON_ADDRESS": daemon.endpoint,
                "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            }
        ) as patch,
    ):
        registered: list[list[Any]] = [[], []]
        patch.setattr(snapshot_restore_py, "_before_snapshot_registry", registered[0])
        patch.setattr(snapshot_restore_py, "_after_restore_registry", registered[1])
        with running_processor(lines.append) as processor:
            ((before_snapshot, *_),), ((after_restore, *_),) = registered
            telemetry = processor._telemetry
            threads = set(threading.enumerate())

            before_snapshot()
            assert (lines, daemon.take()) == ([], [])
            assert set(threading.enumerate()) == threads

            after_restore()
            assert lines == []
            assert telemetry.current_record is None


def test_a_sandbox_that_cannot_be_named_is_restored() -> None:
    lines: list[bytes] = []
    telemetry, tracing = Mock(), Mock(provider=None)

    SnapshotHooks(
        SETTINGS, dynamodb=None, dead_letters=Mock(), telemetry=telemetry, tracing=tracing, write=lines.append
    ).after_restore()

    (line,) = map(json.loads, lines)
    assert (line["message"], line["exception_type"]) == (hooks.NOT_NAMED, "AttributeError")
    telemetry.set_init_duration.assert_called_once()


@pytest.mark.parametrize(
    ("initialization", "log_group", "log_stream"),
    [("snap-start", "/aws/lambda/mark-earnings-processed", ""), ("on-demand", "", "local")],
)
def test_log_group_and_stream(initialization: str, log_group: str, log_stream: str) -> None:
    """Under SnapStart Lambda names neither; the stream would be the same for all sandboxes."""
    read = settings(AWS_LAMBDA_INITIALIZATION_TYPE=initialization).telemetry

    assert (read.log_group, read.log_stream) == (log_group, log_stream)
    assert read.snap_start == (initialization == "snap-start")
