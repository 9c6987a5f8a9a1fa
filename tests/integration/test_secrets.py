"""A secret in an event, in a reply or in the credentials comes out nowhere but in a dead letter's body."""

import base64
import json
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from local.environment import FunctionConfig, new_trace_header
from local.queue import DeadLetter
from local.worker import Worker
from tests.integration.conftest import NewRig
from tests.integration.rig import Rig, Services, event_for_no_row
from tests.support.faults import (
    Fault,
    FaultProxy,
    Reply,
    answer,
    aws_error,
    cancelled,
    http_status,
    reset_before,
    sqs_error,
)
from tests.support.function import Invoked, settings
from tests.support.udp import span_socket
from tests.support.wire import Exchange

CORE = "S3NT1N3L"
"""Looked for in any case, as text, in base64, and with whatever around it."""

SECRETS = {
    "that no rule lets through": f"<{CORE}> password\n",
    "of an ID's characters": f"sk-live-{CORE}-4242424242424242",
    "in an object": {"password": CORE, CORE: [CORE]},
    "in a list": [CORE, [CORE]],
}

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": f"AKIA{CORE}KEY",
    "AWS_SECRET_ACCESS_KEY": f"{CORE}/secret",
    "AWS_SESSION_TOKEN": f"{CORE}//token==",
}

DETAIL = ("asset_symbol", "earnings_date", "event_id", "earnings_id", "processed_at", "correlation_id", "traceparent")
CAMEL = ("assetSymbol", "earningsDate", "eventId", "earningsId", "processedAt", "correlationId", "traceParent")
ENVELOPE = ("version", "id", "source", "detail-type", "account", "time", "region", "resources", "detail", "replay-name")
IDS = {"event_id", "eventId", "earnings_id", "earningsId", "correlation_id", "correlationId", "id"}
"""What is a valid ID may be told."""


def in_detail(name: str) -> Callable[[dict[str, Any], Any], None]:
    def put(event: dict[str, Any], secret: Any) -> None:
        for other in DETAIL:
            if name in CAMEL and CAMEL[DETAIL.index(other)] == name:
                event["detail"].pop(other, None)
        event["detail"][name] = secret

    return put


def beside(name: str) -> Callable[[dict[str, Any], Any], None]:
    """The other spelling of a field stays as it is."""

    def put(event: dict[str, Any], secret: Any) -> None:
        event["detail"][name] = secret

    return put


def in_envelope(name: str) -> Callable[[dict[str, Any], Any], None]:
    def put(event: dict[str, Any], secret: Any) -> None:
        if name == "id":  # else it would not be asked for
            del event["detail"]["event_id"], event["detail"]["correlation_id"]
        event[name] = secret

    return put


def as_key(*path: str) -> Callable[[dict[str, Any], Any], None]:
    def put(event: dict[str, Any], secret: Any) -> None:
        target: Any = event
        for name in path:
            target = target[name]
        target[json.dumps(secret)] = target[CORE] = 1

    return put


def unknown(event: dict[str, Any], secret: Any) -> None:
    event["detail"]["card_number"] = event["user"] = secret
    event["detail"]["nested"] = {"deep": [{"er": secret}]}


PLACES: Mapping[str, Callable[[dict[str, Any], Any], None]] = {
    **{f"detail.{name}": in_detail(name) for name in DETAIL + CAMEL},
    **{f"detail.{name} beside the other spelling": beside(name) for name in CAMEL},
    **{name: in_envelope(name) for name in ENVELOPE},
    "keys of the envelope": as_key(),
    "keys of the detail": as_key("detail"),
    "unknown fields": unknown,
}


def leaks(*texts: str | bytes) -> list[str]:
    """Where the secret is, with what is around it."""
    found = []
    for text in texts:
        plain = (text if isinstance(text, str) else text.decode("latin-1")).upper()
        for form in (CORE, base64.b64encode(CORE.encode()).decode().upper().rstrip("="), CORE.encode().hex().upper()):
            at = plain.find(form)
            if at >= 0:
                found.append(plain[max(0, at - 100) : at + 100])
    return found


def everything_told(invoked: Invoked, letters: list[DeadLetter]) -> Iterator[str | bytes]:
    """All that leaves the function about an event, dead letters' bodies excepted."""
    yield invoked.output
    yield invoked.output.decode("unicode_escape")
    yield json.dumps(invoked.answer)
    for datagram in invoked.datagrams:
        yield datagram
        yield base64.b64decode(datagram.split(b"\n", 1)[1][3:])
    if invoked.error is not None:
        yield "".join(traceback.format_exception(invoked.error))
        yield repr(vars(invoked.error))
    for letter in letters:
        yield json.dumps(dict(letter.attributes))


def valid_as_id(place: str, secret: Any) -> bool:
    return isinstance(secret, str) and secret.startswith("sk-") and place.removeprefix("detail.").split()[0] in IDS


@pytest.fixture
def rig(new_rig: NewRig) -> Rig:
    """The function at its most talkative."""
    return new_rig(AWS_LAMBDA_LOG_LEVEL="DEBUG", **CREDENTIALS)


@pytest.mark.parametrize("secret", SECRETS)
def test_in_every_place_of_an_event(rig: Rig, secret: str) -> None:
    outcomes = set()
    for place, put in PLACES.items():
        if valid_as_id(place, SECRETS[secret]):
            continue
        event = rig.event_for_a_row()
        put(event, SECRETS[secret])

        invoked = rig(event)

        letters = rig.letters(invoked)
        assert leaks(*everything_told(invoked, letters)) == [], place
        outcomes.add(invoked.outcome_line["outcome"])
        if letters:
            assert leaks(letters[0].body), f"{place}: the dead letter is the event itself, so the secret is in there"
    assert outcomes == {"marked", "dead_lettered"}


@pytest.mark.parametrize("event", [CORE, [CORE], {CORE: CORE}, {"detail": CORE}, {"detail": {"detail": {CORE: 1}}}])
def test_as_the_whole_event(rig: Rig, event: object) -> None:
    invoked = rig(event)

    letters = rig.letters(invoked)
    assert leaks(*everything_told(invoked, letters)) == []
    assert leaks(letters[0].body)


def raw(name: str, text: str) -> Fault:
    def act(exchange: Exchange) -> None:
        exchange.write(text.encode())
        exchange.reset()

    return Fault(name, act)


REPLIES = {
    "throttling": aws_error("ThrottlingException", message=CORE),
    "dynamodb": aws_error("InternalServerError", 500, message=CORE),
    "access_denied": aws_error("AccessDeniedException", message=f"User: arn:aws:iam::1:user/{CORE} may not"),
    "configuration": aws_error("ValidationException", message=f"Invalid {CORE}", extra_body={CORE: CORE}),
    "internal": aws_error("IdempotentParameterMismatchException", message=CORE),
    "conflict": cancelled({"Code": "TransactionConflict", "Message": CORE, "Item": {CORE: {"S": CORE}}}, "None"),
    "no code": aws_error(f"<{CORE}> is not a code", message=CORE),
    "page": http_status(502, f"<html>{CORE}</html>".encode()),
    "odd": answer(Reply(200, json.dumps({"a": CORE}).encode())),
    "no JSON": answer(Reply(200, b'{"ConsumedCapacity": "' + CORE.encode() + b'"}')),
    "no HTTP": raw("no HTTP", f"{CORE} {CORE}\r\n\r\n"),
    "header": raw("header", f"HTTP/1.1 200 OK\r\n{CORE}\r\n\r\n"),
}


@pytest.mark.parametrize("reply", REPLIES)
def test_in_dynamodbs_reply(rig: Rig, reply: str) -> None:
    rig.dynamodb.script(*[REPLIES[reply]] * 20)

    invoked = rig.function(rig.event_for_a_row())  # urllib3 has something to say on some of them

    assert invoked.outcome_line["error_category"]
    assert leaks(*everything_told(invoked, rig.letters(invoked))) == []


@pytest.mark.parametrize(
    "trouble",
    [
        sqs_error("AccessDeniedException", message=CORE),
        sqs_error("InternalError", 500, message=CORE),
        http_status(503, CORE.encode()),
    ],
    ids=lambda fault: fault.name,
)
def test_in_the_queues_reply(rig: Rig, trouble: Fault) -> None:
    rig.sqs.script(*[trouble] * 3)

    invoked = rig({"not": "an event"})

    assert invoked.error is not None
    assert leaks(*everything_told(invoked, [])) == []


@pytest.mark.parametrize("processed", [True, False])
def test_in_the_row(rig: Rig, *, processed: bool) -> None:
    event = rig.event_for_a_row(is_processed=processed, note=CORE, processed_by_event=CORE, correlation_id=CORE)

    invoked = rig(event)

    assert invoked.outcome_line["outcome"] == ("duplicate" if processed else "marked")
    assert leaks(*everything_told(invoked, [])) == []


def test_in_the_credentials(rig: Rig) -> None:
    key = CREDENTIALS["AWS_ACCESS_KEY_ID"]
    denied = aws_error("UnrecognizedClientException", message=f"{key} is not known")
    rig.dynamodb.script(denied, *[http_status(502)] * 3, *[reset_before()] * 3)

    seen = [rig(rig.event_for_a_row()) for _ in range(4)]

    assert [each.outcome_line.get("error_category") for each in seen] == ["access_denied", "dynamodb", "network", None]
    for invoked in seen:
        assert leaks(*everything_told(invoked, rig.letters(invoked))) == []
    assert key in rig.dynamodb.requests[0].request.headers["authorization"], "they were used"


@contextmanager
def process(services: Services, **environ: str) -> Iterator[tuple[Worker, list[str]]]:
    lines: list[str] = []
    config = FunctionConfig(credentials=CREDENTIALS, settings=settings(services.tables, services.queue, **environ))
    with Worker(config, lambda _, line: lines.append(line)) as worker:
        yield worker, lines


def test_the_process_keeps_all_of_them_to_itself(services: Services) -> None:
    """Also what the runtime client says, on both outputs and in its error replies, at its most talkative."""
    with ExitStack() as stack:
        spans = stack.enter_context(span_socket())
        proxy = stack.enter_context(FaultProxy(services.tables.url))
        worker, lines = stack.enter_context(
            process(
                services,
                AWS_ENDPOINT_URL_DYNAMODB=proxy.url,
                AWS_XRAY_DAEMON_ADDRESS=spans.endpoint,
                AWS_LAMBDA_LOG_LEVEL="DEBUG",
                AWS_READ_TIMEOUT_SECONDS="60",
            )
        )
        payloads: list[bytes] = []
        for put in (in_detail("asset_symbol"), in_envelope("source"), unknown, as_key("detail")):
            event = event_for_no_row()
            put(event, SECRETS["that no rule lets through"])
            payloads.append(json.dumps(event).encode())
        proxy.script(aws_error("ResourceNotFoundException", message=CORE), REPLIES["internal"], REPLIES["internal"])
        payloads += [json.dumps(event_for_no_row()).encode()] * 2
        payloads += [b'{"' + CORE.encode() + b'": ', json.dumps(CORE).encode(), b"\xff" + CORE.encode()]
        results = [worker.invoke(payload, trace_header=new_trace_header(), timeout_s=120) for payload in payloads]
        raw = spans.take_raw()

    assert {result.status for result in results} == {"ok", "error"}
    assert leaks(*lines, *(result.payload for result in results)) == []
    assert leaks(*raw, *(base64.b64decode(datagram.split(b"\n", 1)[1][3:]) for datagram in raw)) == []
    assert lines
    assert raw


def test_a_secret_would_be_found() -> None:
    """The search itself: it must not miss what it is there for."""
    assert leaks(f"x{CORE.lower()}x")
    assert leaks(base64.b64encode(CORE.encode()))
    assert leaks(json.dumps({"a": [CORE]}).encode())
    assert leaks("nothing", b"here") == []
