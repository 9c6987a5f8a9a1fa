"""A secret in an event, in a reply or in the credentials comes out nowhere but in a dead letter's body."""

import base64
import json

import pytest

from emulator.faults import (
    Exchange,
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
from tests.integration.conftest import NewHarness
from tests.integration.harness import Harness, Services
from tests.integration.sentinel import (
    CORE,
    CREDENTIALS,
    PLACES,
    SECRETS,
    Put,
    as_key,
    emitted,
    in_detail,
    in_envelope,
    leaks,
    unknown,
    valid_as_id,
)
from tests.support.events import unique_event
from tests.support.harness import function_environ
from tests.support.invocation import Invoked
from tests.support.sandbox import sandbox_process


@pytest.fixture
def harness(new_harness: NewHarness) -> Harness:
    """The function at its most talkative."""
    return new_harness(AWS_LAMBDA_LOG_LEVEL="DEBUG", **CREDENTIALS)


@pytest.mark.parametrize("secret", SECRETS)
def test_in_every_place_of_an_event(harness: Harness, secret: str) -> None:
    def deliver(put: Put) -> Invoked:
        event = harness.event_for_a_row()
        put(event, SECRETS[secret])
        return harness(event)

    seen = {place: deliver(put) for place, put in PLACES.items() if not valid_as_id(place, SECRETS[secret])}

    for place, invoked in seen.items():
        dead_letters = harness.dead_letters(invoked) if "dead_letter_id" in invoked.outcome_line else []
        assert leaks(*emitted(invoked, dead_letters)) == [], place
        assert all(leaks(dead_letter.body) for dead_letter in dead_letters), (
            f"{place}: a dead letter is the event itself"
        )
    assert {invoked.outcome_line["outcome"] for invoked in seen.values()} == {"marked", "dead_lettered"}


@pytest.mark.parametrize("event", [CORE, [CORE], {CORE: CORE}, {"detail": CORE}, {"detail": {"detail": {CORE: 1}}}])
def test_as_the_whole_event(harness: Harness, event: object) -> None:
    invoked = harness(event)

    dead_letters = harness.dead_letters(invoked)
    assert leaks(*emitted(invoked, dead_letters)) == []
    assert leaks(dead_letters[0].body)


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
def test_in_dynamodbs_reply(harness: Harness, reply: str) -> None:
    harness.dynamodb.script(*[REPLIES[reply]] * 20)

    invoked = harness.function(harness.event_for_a_row())  # urllib3 has something to say on some of them

    assert invoked.outcome_line["error_category"]
    assert leaks(*emitted(invoked, harness.dead_letters(invoked))) == []


@pytest.mark.parametrize(
    "trouble",
    [
        sqs_error("AccessDeniedException", message=CORE),
        sqs_error("InternalError", 500, message=CORE),
        http_status(503, CORE.encode()),
    ],
    ids=lambda fault: fault.name,
)
def test_in_the_queues_reply(harness: Harness, trouble: Fault) -> None:
    harness.sqs.script(*[trouble] * 3)

    invoked = harness({"not": "an event"})

    assert invoked.error is not None
    assert leaks(*emitted(invoked, [])) == []


@pytest.mark.parametrize("processed", [True, False])
def test_in_the_row(harness: Harness, *, processed: bool) -> None:
    event = harness.event_for_a_row(is_processed=processed, note=CORE, processed_by_event=CORE, correlation_id=CORE)

    invoked = harness(event)

    assert invoked.outcome_line["outcome"] == ("duplicate" if processed else "marked")
    assert leaks(*emitted(invoked, [])) == []


def test_in_the_credentials(harness: Harness) -> None:
    key = CREDENTIALS["AWS_ACCESS_KEY_ID"]
    denied = aws_error("UnrecognizedClientException", message=f"{key} is not known")
    harness.dynamodb.script(denied, *[http_status(502)] * 3, *[reset_before()] * 3)

    seen = [harness(harness.event_for_a_row()) for _ in range(4)]

    assert [each.outcome_line.get("error_category") for each in seen] == ["access_denied", "dynamodb", "network", None]
    for invoked in seen:
        assert leaks(*emitted(invoked, harness.dead_letters(invoked))) == []
    assert key in harness.dynamodb.requests[0].request.headers["authorization"], "they were used"


def test_the_process_keeps_all_of_them_to_itself(services: Services) -> None:
    """Also what the runtime client says, on both outputs and in its error replies, at its most talkative."""
    payloads: list[bytes] = []
    for put in (in_detail("asset_symbol"), in_envelope("source"), unknown, as_key("detail")):
        event = unique_event()
        put(event, SECRETS["that no rule lets through"])
        payloads.append(json.dumps(event).encode())
    payloads += [json.dumps(unique_event()).encode()] * 2
    payloads += [b'{"' + CORE.encode() + b'": ', json.dumps(CORE).encode(), b"\xff" + CORE.encode()]
    refused = aws_error("ResourceNotFoundException", message=CORE)
    with FaultProxy(services.tables.url, refused, REPLIES["internal"], REPLIES["internal"]) as proxy:
        given = function_environ(
            services.tables, services.queue, AWS_ENDPOINT_URL_DYNAMODB=proxy.url, AWS_LAMBDA_LOG_LEVEL="DEBUG"
        )
        with sandbox_process(given, credentials=CREDENTIALS) as sandbox:
            results = [sandbox.invoke(payload) for payload in payloads]

    assert {result.status for result in results} == {"ok", "error"}
    assert leaks(*sandbox.stdout, *sandbox.stderr, *(result.payload for result in results)) == []
    assert leaks(*sandbox.datagrams, json.dumps(sandbox.spans)) == []
    assert len(sandbox.metrics) == 7
    assert len(sandbox.spans) > 7


def test_a_secret_would_be_found() -> None:
    """The search itself: it must not miss what it is there for."""
    assert leaks(f"x{CORE.lower()}x")
    assert leaks(base64.b64encode(CORE.encode()))
    assert leaks(json.dumps({"a": [CORE]}).encode())
    assert leaks("nothing", b"here") == []
