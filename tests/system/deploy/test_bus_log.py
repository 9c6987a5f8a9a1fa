"""The log of the event bus: on where the bus is ours, without the content of events, and not for ever."""

import json

import pytest

from deploy.context import ENVIRONMENTS
from deploy.reading import read_context
from deploy.values import ContextError
from monitoring.names import bus_log_group
from tests.unit.deploy.assembly import ACCOUNT, REGION, template

BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_log_of_our_bus_has_no_content_of_events(environment: str) -> None:
    """`FULL` would write the detail of every event, and what the target answers."""
    bus = template(environment).one("AWS::Events::EventBus")

    assert bus["LogConfig"] == {"Level": "INFO", "IncludeDetail": "NONE"}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_its_log_group_expires(environment: str) -> None:
    made = template(environment)
    name = bus_log_group(made.one("AWS::Events::EventBus")["Name"])

    (group,) = made.bus_log("AWS::Logs::LogGroup")
    assert group["LogGroupName"] == name
    assert group["RetentionInDays"] == 14


def test_errors_and_major_steps_are_delivered_to_the_log_group() -> None:
    made = template()
    bus_arn = f"{BUS}/earnings-prod"

    sources = made.bus_log("AWS::Logs::DeliverySource")
    assert {source["LogType"]: source["ResourceArn"] for source in sources} == {
        "INFO_LOGS": bus_arn,
        "ERROR_LOGS": bus_arn,
    }
    (destination,) = made.bus_log("AWS::Logs::DeliveryDestination")
    assert destination["DestinationResourceArn"].endswith(f":log-group:{bus_log_group('earnings-prod')}")
    (destination_id,) = made.ids("AWS::Logs::DeliveryDestination")
    deliveries = made.bus_log("AWS::Logs::Delivery")
    assert {each["DeliverySourceName"] for each in deliveries} == {source["Name"] for source in sources}
    assert {each["DeliveryDestinationArn"] for each in deliveries} == {f"<{destination_id}.Arn>"}
    assert all(len(source["Name"]) <= 60 for source in sources), "the limit of AWS"


def test_only_the_delivery_of_these_sources_may_write() -> None:
    made = template()
    (policy,) = made.bus_log("AWS::Logs::ResourcePolicy")

    (statement,) = json.loads(policy["PolicyDocument"])["Statement"]
    assert statement["Principal"] == {"Service": "delivery.logs.amazonaws.com"}
    assert statement["Resource"].endswith(f"{bus_log_group('earnings-prod')}:log-stream:*")
    sources = {f"<{name}.Arn>" for name in made.ids("AWS::Logs::DeliverySource")}
    assert set(statement["Condition"]["ArnLike"]["aws:SourceArn"]) == sources
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}


@pytest.mark.parametrize("context", [{"bus_log": "off"}, {"event_bus": "default"}, {"event_bus": "shared"}])
def test_without_a_bus_of_ours_or_switched_off_there_is_none(context: dict[str, str]) -> None:
    made = template(**context)

    assert all("LogConfig" not in bus for bus in made.all("AWS::Events::EventBus"))
    assert not [name for name in made.resources if name.startswith("EventsBusLog")]


def test_operators_may_read_it_also_that_of_another_bus() -> None:
    for context, bus in (({}, "earnings-prod"), ({"event_bus": "shared"}, "shared")):
        document = template(**context).managed_policy("operators")
        statements = {each["Sid"]: each for each in document["Statement"]}
        expected = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{bus_log_group(bus)}:*"
        assert expected in statements["SeeLogs"]["Resource"]
        assert "events:DescribeEventBus" in statements["RedriveToBus"]["Action"]


def test_a_wrong_value_is_refused() -> None:
    with pytest.raises(ContextError, match="bus_log"):
        read_context({"environment": "dev", "bus_log": "full"})
