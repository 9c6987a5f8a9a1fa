"""A secret, the fields to put it into, and the search for it in everything that leaves the function."""

import base64
import json
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from emulator.services.sqs import DeadLetter
from tests.support.invocation import Invoked

CORE = "S3NT1N3L"
"""Looked for in any case, as text and in base64."""

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
"""A valid ID may appear."""


type Put = Callable[[dict[str, Any], Any], None]


def in_detail(name: str) -> Put:
    """Put it into a field of the detail, without the other spelling of the field."""

    def put(event: dict[str, Any], secret: Any) -> None:
        for other in DETAIL:
            if name in CAMEL and CAMEL[DETAIL.index(other)] == name:
                event["detail"].pop(other, None)
        event["detail"][name] = secret

    return put


def beside(name: str) -> Put:
    """Put it into a field of the detail, beside the other spelling."""

    def put(event: dict[str, Any], secret: Any) -> None:
        event["detail"][name] = secret

    return put


def in_envelope(name: str) -> Put:
    """Put it into a member of the envelope."""

    def put(event: dict[str, Any], secret: Any) -> None:
        if name == "id":  # else it would not be asked for
            del event["detail"]["event_id"], event["detail"]["correlation_id"]
        event[name] = secret

    return put


def as_key(*path: str) -> Put:
    """Make it the name of a member."""

    def put(event: dict[str, Any], secret: Any) -> None:
        target: Any = event
        for name in path:
            target = target[name]
        target[json.dumps(secret)] = target[CORE] = 1

    return put


def unknown(event: dict[str, Any], secret: Any) -> None:
    """Put it into unknown fields."""
    event["detail"]["card_number"] = event["user"] = secret
    event["detail"]["nested"] = {"deep": [{"er": secret}]}


PLACES: Mapping[str, Put] = {
    **{f"detail.{name}": in_detail(name) for name in DETAIL + CAMEL},
    **{f"detail.{name} beside the other spelling": beside(name) for name in CAMEL},
    **{name: in_envelope(name) for name in ENVELOPE},
    "keys of the envelope": as_key(),
    "keys of the detail": as_key("detail"),
    "unknown fields": unknown,
}


def leaks(*texts: str | bytes) -> list[str]:
    """Return where the secret appears, with its context."""
    found = []
    for text in texts:
        plain = (text if isinstance(text, str) else text.decode("latin-1")).upper()
        for form in (CORE, base64.b64encode(CORE.encode()).decode().upper().rstrip("="), CORE.encode().hex().upper()):
            at = plain.find(form)
            if at >= 0:
                found.append(plain[max(0, at - 100) : at + 100])
    return found


def emitted(invoked: Invoked, dead_letters: list[DeadLetter]) -> Iterator[str | bytes]:
    """Yield everything that leaves the function about an event, except for the bodies of dead letters."""
    yield invoked.output
    yield invoked.output.decode("unicode_escape")
    yield json.dumps(invoked.answer)
    for datagram in invoked.datagrams:
        yield datagram
        yield base64.b64decode(datagram.split(b"\n", 1)[1][3:])
    if invoked.error is not None:
        yield "".join(traceback.format_exception(invoked.error))
        yield repr(vars(invoked.error))
    for dead_letter in dead_letters:
        yield json.dumps(dict(dead_letter.attributes))


def valid_as_id(place: str, secret: Any) -> bool:
    """Return whether this secret in that field is a valid ID, which may appear."""
    return isinstance(secret, str) and secret.startswith("sk-") and place.removeprefix("detail.").split()[0] in IDS
