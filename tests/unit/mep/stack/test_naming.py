"""Names and environments: the rules in both directions, and the refusal of two environments."""

import json
from pathlib import Path

import pytest

from deploy.reading import read_context
from mep.errors import UsageError
from mep.settings import load_settings
from mep.stack import resources
from mep.stack.naming import Given, Resource, check_one_environment, find_environment
from mep.stack.resources import by_rule, stack_names
from monitoring.names import ENVIRONMENTS, StackNames

AWS = {"AWS_REGION": "eu-west-1"}
QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/mark-earnings-processed-{}-dead-letters"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("prefix", ["mark-earnings-processed", "team-prod"])
def test_the_rules_are_read_backwards(environment: str, prefix: str) -> None:
    names = StackNames(environment, prefix)

    for resource in Resource:
        name = by_rule(names, resource)
        assert Given("", resource, name).environment == environment, resource


@pytest.mark.parametrize(
    ("resource", "value", "environment"),
    [
        (Resource.QUEUE, QUEUE.format("staging"), "staging"),
        (Resource.QUEUE, "https://sqs.eu-west-1.amazonaws.com/1/dead-letters", ""),
        (Resource.BUS, "arn:aws:events:eu-west-1:1:event-bus/earnings-dev", "dev"),
        (Resource.BUS, "default", ""),
        (Resource.BUS, "other-prod", ""),
        (Resource.CALENDAR, "earningsCalendar", "prod"),
        (Resource.CALENDAR, "earningsAudit", ""),
        (Resource.AUDIT, "arn:aws:dynamodb:eu-west-1:1:table/earningsAudit-dev", "dev"),
        (Resource.AUDIT, "earningsAudit-local", ""),
        (Resource.FUNCTION, "arn:aws:lambda:eu-west-1:1:function:mark-earnings-processed-prod:live", "prod"),
        (Resource.FUNCTION, "mark-earnings-processed-dev:live", "dev"),
        (Resource.FUNCTION, "MarkEarningsProcessed", ""),
        (Resource.LOG_GROUP, "/aws/lambda/mark-earnings-processed-staging", "staging"),
    ],
)
def test_the_environment_of_a_name(resource: Resource, value: str, environment: str) -> None:
    given = Given("x", resource, value)

    assert given.environment == environment
    assert find_environment([Given("y", Resource.BUS, "default"), given]) == environment


def test_resources_of_two_environments_are_refused() -> None:
    queue = Given("DEAD_LETTER_QUEUE_URL", Resource.QUEUE, QUEUE.format("prod"))
    bus = Given("EVENT_BUS_NAME", Resource.BUS, "earnings-dev")
    own = Given("EVENT_BUS_NAME", Resource.BUS, "earnings-prod")

    check_one_environment("prod", [queue, own], lambda _: False)
    check_one_environment("", [queue, own], lambda _: False)
    check_one_environment("local", [own, queue], lambda _: False)
    check_one_environment("prod", [queue, bus], lambda given: given is bus)
    for environment, because in (("prod", "the environment is prod"), ("", "names the dead-letter queue of prod")):
        with pytest.raises(UsageError) as refused:
            check_one_environment(environment, [queue, bus], lambda _: False)
        assert "EVENT_BUS_NAME names the event bus of dev (earnings-dev)" in str(refused.value)
        assert because in str(refused.value)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"DEAD_LETTER_QUEUE_URL": QUEUE.format("prod"), "ENVIRONMENT": "dev"}, "the environment is dev"),
        ({"DEAD_LETTER_QUEUE_URL": QUEUE.format("dev"), "EARNINGS_AUDIT_TABLE": "earningsAudit"}, "queue of dev"),
    ],
)
def test_settings_of_two_environments_are_refused(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", "http://127.0.0.1:9")  # no call leaves this machine
    with pytest.raises(UsageError, match=f"{expected}.*environments are not mixed"):
        load_settings(AWS | variables, needs=[Resource.QUEUE, Resource.AUDIT])


def test_the_environment_follows_from_the_queue() -> None:
    variables = {"DEAD_LETTER_QUEUE_URL": QUEUE.format("staging"), "EARNINGS_AUDIT_TABLE": "earningsAudit-staging"}
    settings = load_settings(AWS | variables, needs=[Resource.QUEUE, Resource.AUDIT])

    assert (settings.environment, settings.function_name) == ("staging", "mark-earnings-processed-staging")
    assert settings.audit_table == "earningsAudit-staging"


@pytest.mark.parametrize(
    ("environment", "rule"), [(None, "is not given: "), (" ", "is not given: "), ("pord", "pord: must be ")]
)
def test_an_environment_is_needed_on_aws(environment: str | None, rule: str) -> None:
    with pytest.raises(UsageError, match=f"--environment {rule}dev, staging or prod"):
        load_settings(AWS, environment=environment, needs=[Resource.CALENDAR])


def test_the_prefix_is_that_of_the_environments_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dev.json").write_text(json.dumps({"prefix": "acme-earnings"}))
    (tmp_path / "prod.json").write_text("not JSON")
    monkeypatch.setattr(resources, "_FILES", tmp_path)

    assert stack_names("dev").log_group == "/aws/lambda/acme-earnings-dev"
    assert stack_names("dev", "other").name == "other-dev"
    assert stack_names("staging").name == "mark-earnings-processed-staging"
    assert stack_names("prod").name == "mark-earnings-processed-prod"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_rules_are_those_of_the_stack(environment: str) -> None:
    deployment = read_context({"environment": environment})
    names = stack_names(environment)

    assert (names.name, names.bus) == (deployment.name, deployment.bus_name)


@pytest.mark.parametrize(
    ("function", "prefix"),
    [
        ("acme-earnings-staging", "acme-earnings"),
        ("acme-earnings-staging:live", "acme-earnings"),
        ("arn:aws:lambda:eu-west-1:111122223333:function:acme-earnings-staging", "acme-earnings"),
        ("acme-earnings-prod", "mark-earnings-processed"),
        ("-staging", "mark-earnings-processed"),
        ("MarkEarnings-staging", "mark-earnings-processed"),
        ("", "mark-earnings-processed"),
    ],
)
def test_the_prefix_that_mep_env_has_set_is_that_of_every_name(function: str, prefix: str) -> None:
    environ = {**AWS, "ENVIRONMENT": "staging", "AWS_LAMBDA_FUNCTION_NAME": function}

    settings = load_settings(environ, needs=[Resource.LOG_GROUP])

    assert settings.names.log_group == f"/aws/lambda/{prefix}-staging"
    assert settings.function_name == f"{prefix}-staging"
