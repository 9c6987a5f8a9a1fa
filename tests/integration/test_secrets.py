"""A secret in an event, in a reply or in the credentials comes out nowhere but in a dead letter's body."""

import base64
import json

import pytest

from tests.integration.conftest import NewRig
from tests.integration.rig import Rig, Services, event_for_no_row
from tests.integration.sentinel import (
    CORE,
    CREDENTIALS,
    PLACES,
    SECRETS,
    Put,
    as_key,
    everything_told,
    in_detail,
    in_envelope,
    leaks,
    unknown,
    valid_as_id,
)
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
from tests.support.function import settings
from tests.support.invoked import Invoked
from tests.support.sandbox import sandbox_process
from tests.support.wire import Exchange


@pytest.fixture
def rig(new_rig: NewRig) -> Rig:
    """The function at its most talkative."""
    return new_rig(AWS_LAMBDA_LOG_LEVEL="DEBUG", **CREDENTIALS)


@pytest.mark.parametrize("secret", SECRETS)
def test_in_every_place_of_an_event(rig: Rig, secret: str) -> None:
    def deliver(put: Put) -> Invoked:
        event = rig.event_for_a_row()
        put(event, SECRETS[secret])
        return rig(event)

    seen = {place: deliver(put) for place, put in PLACES.items() if not valid_as_id(place, SECRETS[secret])}

    for place, invoked in seen.items():
        letters = rig.letters(invoked) if "dead_letter_id" in invoked.outcome_line else []
        assert leaks(*everything_told(invoked, letters)) == [], place
        assert all(leaks(letter.body) for letter in letters), f"{place}: a dead letter is the event itself"
    assert {invoked.outcome_line["outcome"] for invoked in seen.values()} == {"marked", "dead_lettered"}


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


def test_the_process_keeps_all_of_them_to_itself(services: Services) -> None:
    """Also what the runtime client says, on both outputs and in its error replies, at its most talkative."""
    payloads: list[bytes] = []
    for put in (in_detail("asset_symbol"), in_envelope("source"), unknown, as_key("detail")):
        event = event_for_no_row()
        put(event, SECRETS["that no rule lets through"])
        payloads.append(json.dumps(event).encode())
    payloads += [json.dumps(event_for_no_row()).encode()] * 2
    payloads += [b'{"' + CORE.encode() + b'": ', json.dumps(CORE).encode(), b"\xff" + CORE.encode()]
    refused = aws_error("ResourceNotFoundException", message=CORE)
    with FaultProxy(services.tables.url, refused, REPLIES["internal"], REPLIES["internal"]) as proxy:
        given = settings(
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
