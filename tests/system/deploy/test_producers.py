"""Who may put events on the bus: events of the stack's source only, whoever puts them."""

import json
import re
from typing import Any

import pytest

from deploy.values import ContextError
from emulator.environment import PROJECT_ROOT
from tests.system.deploy.simulator import Call, verdicts
from tests.unit.deploy.assembly import ACCOUNT, REGION, Template, template

OTHER_ACCOUNT = "999999999999"
FEEDS = f"arn:aws:iam::{ACCOUNT}:role/feeds/prod"
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/earnings-prod"
DEFAULT_BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
SOURCE = "signal9.advisor"
MAY_PUT: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "events:PutEvents", "Resource": "*"}],
}
"""What the other account gives to its own role."""


def put(*sources: str, bus: str = BUS) -> Call:
    return Call("events:PutEvents", bus, {"events:source": list(sources)})


def allowed(
    calls: list[Call], policies: list[dict[str, Any]], principal: str, bus_policy: dict[str, Any] | None
) -> list[str]:
    found = verdicts(policies, calls, principal=principal, resource_policy=bus_policy)
    assert len(found) == len(calls)
    return [call for call, verdict in found.items() if verdict == "Allowed"]


@pytest.fixture(scope="module")
def made() -> Template:
    return template(producers=f"{OTHER_ACCOUNT}, {FEEDS}")


@pytest.fixture(scope="module")
def bus_policy(made: Template) -> dict[str, Any]:
    policy = made.one("AWS::Events::EventBusPolicy")
    assert policy["EventBusName"] == "earnings-prod"
    return {"Version": "2012-10-17", "Statement": [policy["Statement"]]}


ALLOWED = [put(SOURCE), put(SOURCE, SOURCE)]
DENIED = [
    put("another.source"),
    put(SOURCE, "another.source"),
    Call("events:PutEvents", BUS),
    put(SOURCE, bus=f"{BUS}-other"),
    put(SOURCE, bus=DEFAULT_BUS),
    Call("events:PutRule", BUS, {"events:source": [SOURCE]}),
]


def test_a_role_with_the_managed_policy(made: Template) -> None:
    """It needs nothing of the bus, whose policy does not name it."""
    policies = [made.managed_policy("producers")]

    assert allowed(ALLOWED + DENIED, policies, f"arn:aws:iam::{ACCOUNT}:role/a", None) == [
        str(each) for each in ALLOWED
    ]


@pytest.mark.parametrize(
    ("principal", "own_policies", "may_put"),
    [
        (FEEDS, [], True),
        (f"arn:aws:iam::{ACCOUNT}:role/another", [], False),
        (f"arn:aws:iam::{OTHER_ACCOUNT}:role/a", [MAY_PUT], True),
        (f"arn:aws:iam::{OTHER_ACCOUNT}:role/a", [], False),
        ("arn:aws:iam::888888888888:role/a", [MAY_PUT], False),
    ],
)
def test_the_policy_of_the_bus(
    principal: str, own_policies: list[dict[str, Any]], may_put: bool, bus_policy: dict[str, Any]
) -> None:
    """A role of this account needs no policy of its own; one of another account needs both."""
    assert (allowed([put(SOURCE)], own_policies, principal, bus_policy) != []) == may_put


def test_another_account_puts_events_of_the_source_only(bus_policy: dict[str, Any]) -> None:
    everything = {**MAY_PUT, "Statement": [{**MAY_PUT["Statement"][0], "Action": "events:*"}]}
    calls = [call for call in ALLOWED + DENIED if call.resource == BUS]

    found = allowed(calls, [everything], f"arn:aws:iam::{OTHER_ACCOUNT}:role/a", bus_policy)

    assert found == [str(each) for each in ALLOWED]


def test_without_producers_the_bus_has_no_policy() -> None:
    assert template().ids("AWS::Events::EventBusPolicy") == []


def test_the_default_bus_has_the_managed_policy_only() -> None:
    made = template(event_bus="default")

    assert made.ids("AWS::Events::EventBusPolicy") == []
    policies = [made.managed_policy("producers")]
    found = verdicts(policies, [put(SOURCE, bus=DEFAULT_BUS), put("aws.s3", bus=DEFAULT_BUS), put(SOURCE)])
    assert list(found.values()) == ["Allowed", "ImplicitlyDenied", "ImplicitlyDenied"]


def test_the_source_of_the_events_is_what_producers_may_put() -> None:
    policies = [template(event_source="another.producer").managed_policy("producers")]

    found = verdicts(policies, [put("another.producer"), put(SOURCE)])

    assert list(found.values()) == ["Allowed", "ImplicitlyDenied"]


def test_the_policy_of_a_bus_of_others_is_not_changed() -> None:
    with pytest.raises(ContextError, match="the policy of default belongs to its owner"):
        template(event_bus="default", producers=OTHER_ACCOUNT)


def test_the_statement_on_the_page_is_that_of_the_stack(bus_policy: dict[str, Any]) -> None:
    """For the owner of another bus."""
    page = (PROJECT_ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r'^ +(\{"Sid": "Earnings".*\n(?: +.*\n)+)', page, re.MULTILINE)

    (statement,) = bus_policy["Statement"]
    differing = {"Sid", "Principal", "Resource"}
    assert {key: value for key, value in json.loads(shown).items() if key not in differing} == {
        key: value for key, value in statement.items() if key not in differing
    }
