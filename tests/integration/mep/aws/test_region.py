"""All commands use one region and one host: the precedence of variables, and the host of a queue's URL."""

import re
import shlex
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.loaders import Loader
from hypothesis import example, given
from hypothesis import strategies as st

from emulator.environment import PROJECT_ROOT
from mep.aws import open_aws
from mep.aws_hosts import is_aws, is_public_queue, region_of
from mep.errors import ExitStatus, UsageError
from tests.integration.mep.aws.account import Account, Run
from tests.integration.mep.aws.conftest import QUEUE_PATH
from tests.integration.mep.aws.test_aws_failures import COMMANDS, MESSAGE, config
from tests.support.aws_account import ok, serving
from tests.support.thorough import some

HERE = "eu-central-1"
ELSEWHERE = "ap-southeast-2"
SERVICES = {
    "trace": {"logs", "xray", "dynamodb", "sqs"},
    "invoke": {"lambda"},
    "check": {"dynamodb"},
    "unmark": {"dynamodb"},
    "query": {"logs"},
    "verify": {"dynamodb", "monitoring"},
    "round trip": {"dynamodb"},
    "env": {"cloudformation", "sqs"},
}


def signed(account: Account) -> set[str]:
    """Return the regions of the signatures."""
    return {call.region for call in account.calls}


REGION_VARIABLES: list[dict[str, str | None]] = [
    {"AWS_REGION": HERE},
    {"AWS_REGION": None, "AWS_DEFAULT_REGION": HERE},
    {"AWS_REGION": f" {HERE} ", "AWS_DEFAULT_REGION": ELSEWHERE},
    {"AWS_REGION": " ", "AWS_DEFAULT_REGION": HERE},
    {"AWS_REGION": None, "AWS_PROFILE": "here"},
    {"AWS_REGION": HERE, "AWS_PROFILE": "elsewhere"},
    {"AWS_REGION": None, "AWS_DEFAULT_REGION": HERE, "AWS_PROFILE": "elsewhere"},
]


# A fifth has every command, and all variables.
@pytest.mark.parametrize(("variables", "command"), some(product(REGION_VARIABLES, COMMANDS), of=5), ids=str)
def test_every_command_signs_for_the_same_region(
    variables: dict[str, str | None], command: str, account: Account, run_here: Run, tmp_path: Path
) -> None:
    config(tmp_path, f"[profile here]\nregion = {HERE}\n[profile elsewhere]\nregion = {ELSEWHERE}\n")

    assert run_here(*COMMANDS[command], **variables).status != ExitStatus.WRONG_USAGE

    assert signed(account) == {HERE}
    assert {call.service for call in account.calls} >= SERVICES.get(command, {"sqs"})


@pytest.mark.parametrize("command", ["trace", "list", "show", "redrive", "discard"])
def test_without_a_region_the_queues_url_decides(command: str, account: Account, run_here: Run) -> None:
    run_here(*COMMANDS[command], AWS_REGION=None)
    assert signed(account) == {HERE}


def test_without_a_region_an_arn_decides(account: Account, run_here: Run) -> None:
    arn = f"arn:aws:lambda:{ELSEWHERE}:123456789012:function:f:live"
    assert run_here(*COMMANDS["invoke"][:2], "--url", arn, AWS_REGION=None).status == ExitStatus.DONE
    assert signed(account) == {ELSEWHERE}


@pytest.mark.parametrize("command", COMMANDS)
def test_without_any_region_the_variable_is_named(command: str, account: Account, run_here: Run) -> None:
    ended = run_here(*COMMANDS[command], AWS_REGION=None, DEAD_LETTER_QUEUE_URL="http://127.0.0.1:1/0/q")
    assert ended.status == ExitStatus.WRONG_USAGE
    assert ended.err == "mep: AWS_REGION is not set: set it to the stack's region, such as eu-central-1\n"
    assert account.calls == []


@pytest.mark.parametrize("command", ["list", "trace", "check"])
def test_without_region_and_environment_both_are_named(command: str, run_here: Run) -> None:
    """In a new shell nothing is set: one line says all that is missing."""
    names = ("AWS_REGION", "AWS_ENDPOINT_URL", "ENVIRONMENT", "DEAD_LETTER_QUEUE_URL", "EVENT_BUS_NAME")
    tables = ("EARNINGS_AUDIT_TABLE", "EARNINGS_CALENDAR_TABLE")
    ended = run_here(*COMMANDS[command], **dict.fromkeys((*names, *tables)))

    assert ended.status == ExitStatus.WRONG_USAGE
    assert ended.err == (
        "mep: AWS_REGION is not set: set it to the stack's region, such as eu-central-1; "
        "--environment is not given: dev, staging or prod (or set ENVIRONMENT)"
        f"{'; to search a run of `mep local`, use --run DIR' if command == 'trace' else ''}\n"
    )


OTHER_REGIONS = [
    *((("trace",), {"DEAD_LETTER_QUEUE_URL": host}) for host in (f"https://sqs.{ELSEWHERE}.amazonaws.com/1/q",)),
    *(
        ((name, "--queue-url", host), {})
        for name in ("list", "show", "redrive", "discard")
        for host in (f"https://sqs.{ELSEWHERE}.amazonaws.com/1/q", f"https://{ELSEWHERE}.queue.amazonaws.com/1/q")
    ),
    (("redrive", "--bus", f"arn:aws:events:{ELSEWHERE}:123456789012:event-bus/b"), {}),
    (("redrive", "--function", f"arn:aws:lambda:{ELSEWHERE}:123456789012:function:f"), {}),
    (("invoke", "--url", f"arn:aws:lambda:{ELSEWHERE}:123456789012:function:f"), {}),
    (("discard",), {"EARNINGS_AUDIT_TABLE": f"arn:aws:dynamodb:{ELSEWHERE}:123456789012:table/t"}),
    *(
        ((name,), {"EARNINGS_CALENDAR_TABLE": f"arn:aws:dynamodb:{ELSEWHERE}:123456789012:table/t"})
        for name in ("trace", "check", "unmark")
    ),
    (("verify", "--calendar-table", f"arn:aws:dynamodb:{ELSEWHERE}:123456789012:table/t"), {}),
    (("round trip", "--event-bus", f"arn:aws:events:{ELSEWHERE}:123456789012:event-bus/b"), {}),
]


# A third has each of `OTHER_REGIONS` once.
@pytest.mark.parametrize(
    ("region", "other_region"),
    some(product(["AWS_REGION", "AWS_DEFAULT_REGION", "profile"], OTHER_REGIONS), of=3),
    ids=str,
)
def test_a_different_region_is_reported(
    region: str,
    other_region: tuple[tuple[str, ...], dict[str, str]],
    account: Account,
    run_here: Run,
    tmp_path: Path,
) -> None:
    words, variables = other_region
    config(tmp_path, f"[default]\nregion = {HERE}\n")
    given: dict[str, str | None] = {"AWS_REGION": None, "DEAD_LETTER_QUEUE_URL": f"http://127.0.0.1:1{QUEUE_PATH}"}
    given |= variables | ({region: HERE} if region != "profile" else {})
    name, *more = words

    ended = run_here(*COMMANDS[name], *more, **given)

    source = "the region of profile default" if region == "profile" else region
    assert (ended.status, ended.out) == (ExitStatus.WRONG_USAGE, "")
    assert f" is in {ELSEWHERE}, but {source} is {HERE}: set AWS_REGION={ELSEWHERE}" in ended.error_line
    assert account.calls == []


# --- the host of a queue's URL


@pytest.fixture
def other() -> Iterator[tuple[Account, str]]:
    """A second account, and its URL."""
    account = Account()
    with serving(account.respond) as url:
        yield account, url


DLQ = ("list", "show", "redrive", "discard")


@pytest.mark.parametrize("command", DLQ)
@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", None])
def test_the_url_of_the_option_is_called(
    variable: str | None, command: str, account: Account, other: tuple[Account, str], run_here: Run
) -> None:
    other_account, url = other
    endpoints = {"AWS_ENDPOINT_URL": None, **({variable: "http://127.0.0.1:1"} if variable else {})}

    ended = run_here(*COMMANDS[command], "--queue-url", f"{url}/1/typed", **endpoints)

    assert "GetQueueAttributes" in other_account.operations(), ended.err
    assert {call.service for call in other_account.calls} == {"sqs"}
    assert account.calls == []


@pytest.mark.parametrize("command", [*DLQ, "trace"])
def test_the_url_of_the_variable_is_called(
    command: str, account: Account, other: tuple[Account, str], endpoint: str, run_here: Run
) -> None:
    other_account, url = other
    queue = f"{url}/1/of-the-variable"

    run_here(*COMMANDS[command], DEAD_LETTER_QUEUE_URL=queue, AWS_ENDPOINT_URL=None)
    assert "GetQueueAttributes" in other_account.operations()
    other_account.calls.clear()
    run_here(*COMMANDS[command], DEAD_LETTER_QUEUE_URL=queue, AWS_ENDPOINT_URL=None, AWS_ENDPOINT_URL_SQS=endpoint)
    assert other_account.calls == []
    assert "GetQueueAttributes" in account.operations()


@pytest.mark.parametrize("command", DLQ)
def test_the_error_names_the_host(command: str, run_here: Run) -> None:
    ended = run_here(*COMMANDS[command], "--queue-url", "http://127.0.0.1:1/1/q", AWS_ENDPOINT_URL=None)
    assert ended.status == ExitStatus.UNAVAILABLE
    assert "no connection to 127.0.0.1:1 (Connection refused)" in ended.error_line
    assert "amazonaws" not in ended.error_line


@pytest.mark.parametrize("flag", ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"])
def test_an_option_works_with_fips_and_dual_stack(flag: str, other: tuple[Account, str], run_here: Run) -> None:
    other_account, url = other
    ended = run_here("dlq", "list", "--queue-url", f"{url}/1/q", AWS_ENDPOINT_URL=None, **{flag: "true"})
    assert (ended.status, ended.out.strip()) == (ExitStatus.DONE, "0 of 0 messages")
    assert "ReceiveMessage" in other_account.operations()


@pytest.mark.parametrize("url", ["http://[::1/1/q", "http://127.0.0.1:port/1/q", "http://:1/1/q", "sqs:q", "my-queue"])
def test_an_invalid_queue_url_is_named(url: str, account: Account, run_here: Run) -> None:
    option, variable = run_here("dlq", "list", "--queue-url", url), run_here("trace", "x", DEAD_LETTER_QUEUE_URL=url)
    for ended, name in ((option, "--queue-url"), (variable, "DEAD_LETTER_QUEUE_URL")):
        assert ended.status == ExitStatus.WRONG_USAGE
        assert ended.err.startswith(f"mep: {name} must be a URL such as https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
    assert account.calls == []


@pytest.mark.parametrize("command", ["list", "trace"])
def test_a_host_that_boto3_rejects_is_wrong_usage(command: str, run_here: Run) -> None:
    ended = run_here(*COMMANDS[command], DEAD_LETTER_QUEUE_URL="http://my_queue:4566/1/q", AWS_ENDPOINT_URL=None)
    assert ended.status == ExitStatus.WRONG_USAGE
    assert ended.err == "mep: the queue's URL must have a host of letters, digits, . and -\n"


QUEUE = f"https://sqs.{HERE}.amazonaws.com{QUEUE_PATH}"
VPC = f"https://vpce-0a1b2c3d4e5f-abcdef.sqs.{HERE}.vpce.amazonaws.com"
FIPS = "https://sqs-fips.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("url", "is_option", "variables", "host"),
    [
        (QUEUE, True, {}, f"https://sqs.{HERE}.amazonaws.com"),
        (QUEUE, True, {"AWS_ENDPOINT_URL_SQS": VPC}, VPC),
        (QUEUE, True, {"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:1"}, f"https://sqs.{HERE}.amazonaws.com"),
        (QUEUE, False, {"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:1"}, "http://127.0.0.1:1"),
        (QUEUE, True, {"AWS_USE_DUALSTACK_ENDPOINT": "true"}, f"https://sqs.{HERE}.api.aws"),
        (f"https://{HERE}.queue.amazonaws.com/1/q", True, {}, f"https://sqs.{HERE}.amazonaws.com"),
        ("https://queue.amazonaws.com/1/q", True, {"AWS_USE_FIPS_ENDPOINT": "true"}, FIPS),
        (f"{VPC}/1/q", True, {}, VPC),
        (f"{VPC}/1/q", False, {}, VPC),
        (f"{VPC}/1/q", False, {"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:1"}, "http://127.0.0.1:1"),
        (f"{FIPS}/1/q", True, {}, FIPS),
        ("http://someone:secret@127.0.0.1:1/1/q", True, {}, "http://127.0.0.1:1"),
    ],
)
def test_the_endpoint_of_a_queue(
    url: str, is_option: bool, variables: dict[str, str], host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    for name, text in {"AWS_DEFAULT_REGION": region_of(url) or HERE, **variables}.items():
        monkeypatch.setenv(name, text)
    aws = open_aws({"--queue-url": url})
    aws.use_queue(url, is_option=is_option)
    assert aws.client("sqs").meta.endpoint_url == host
    assert aws.emulated is ("127.0.0.1" in host)


ALL_SERVICES = ("cloudformation", "cloudwatch", "dynamodb", "events", "lambda", "logs", "sns", "sqs", "sts", "xray")
VARIANTS: list[dict[str, str]] = [
    {"AWS_USE_FIPS_ENDPOINT": "true"},
    {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
    {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
]


def test_every_host_is_that_of_stock_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the commands and of the automatic redrive: FIPS, dual-stack, and both."""
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    for variables, service in some(product(VARIANTS, ALL_SERVICES), of=3):
        with monkeypatch.context() as patch:
            for name, text in variables.items():
                patch.setenv(name, text)
            aws = open_aws({})
            aws.use_queue("https://sqs.us-east-1.amazonaws.com/1/q", is_option=False)
            stock = boto3.Session(region_name="us-east-1").client(service)  # type: ignore[call-overload]
            assert aws.client(service).meta.endpoint_url == stock.meta.endpoint_url, variables


def test_no_event_of_an_account_goes_to_an_emulator(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", endpoint)
    aws = open_aws({})
    aws.use_queue("https://sqs.us-east-1.amazonaws.com/1/q", is_option=True)
    with pytest.raises(
        UsageError, match=r"AWS_ENDPOINT_URL_EVENTBRIDGE .* of an AWS account are not sent to an emulator"
    ):
        aws.client("events")
    assert aws.is_allowed("lambda")


def test_every_partition_is_recognised() -> None:
    """The hosts are those that boto3 calls."""
    stock = boto3.Session()
    count = 0
    for partition in Loader().load_data("partitions")["partitions"]:
        for region in [name for name in partition["regions"] if "global" not in name]:
            for fips, dual_stack in ((False, False), (True, False), (False, True), (True, True)):
                settings = Config(use_fips_endpoint=fips, use_dualstack_endpoint=dual_stack)
                try:
                    url = f"{stock.client('sqs', region_name=region, config=settings).meta.endpoint_url}/1/q"
                except BotoCoreError:
                    continue  # no such host in this partition
                assert region_of(url) == region, url
                assert is_aws(url)
                if not fips and not dual_stack:
                    assert is_public_queue(url)
                    suffix = partition["outputs"]["dnsSuffix"]
                    assert region_of(f"https://{region}.queue.{suffix}/1/q") == region
                    assert region_of(f"https://vpce-0a-b.sqs.{region}.vpce.{suffix}/1/q") == region
                    assert not is_public_queue(f"https://vpce-0a-b.sqs.{region}.vpce.{suffix}/1/q")
                count += 1
    assert count > 100


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:4566/000000000000/q",
        "http://sqs.us-east-1.localhost.localstack.cloud:4566/000000000000/q",
        "http://ec2-203-0-113-25.compute-1.amazonaws.com:4566/0/q",
        "http://ec2-203-0-113-25.eu-west-1.compute.amazonaws.com:4566/0/q",
        "https://emulator-123.eu-west-1.elb.amazonaws.com/0/q",
        "https://sqs.us-east-1.amazonaws.com.example.org/1/q",
        "https://example.org/sqs.us-east-1.amazonaws.com/q",
        "https://sqs.us-east-1.amazonaws.com@example.org/q",
    ],
)
def test_other_hosts_are_not_aws(url: str) -> None:
    assert not is_aws(url)
    assert not region_of(url)


@given(st.text(max_size=30), st.sampled_from(["", "arn:", "//", "https://", "https://sqs.", "http://["]))
@example("\u2100", "https://")
@example("[", "//")
def test_any_text_is_accepted(text: str, before: str) -> None:
    assert isinstance(region_of(before + text), str)
    assert not is_aws(before + text) or "." in before + text


# --- the commands of the runbook


def runbook_commands() -> list[str]:
    """Return the commands of "Before anything else", and of the deployment's last step."""
    runbook = (PROJECT_ROOT / "docs" / "runbook.md").read_text(encoding="utf-8").split("\n---\n")[0]
    deploy = (PROJECT_ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^ {4,}uv run mep (.+)$", runbook, re.MULTILINE)
    return [*blocks, *re.findall(r"`uv run mep (invoke [^`]+)`", deploy)]


def settings_of_the_runbook() -> set[str]:
    """Return the variables that runbook.md and deploy.md name."""
    deploy = (PROJECT_ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    table = deploy.partition("## What operators set")[2].partition("\n## ")[0]
    return {"AWS_REGION", *re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE)}


@pytest.mark.parametrize("command", runbook_commands())
def test_the_runbooks_first_commands_run(command: str, account: Account, run_here: Run) -> None:
    """With only credentials, the variables that the runbook names, and the fake account's endpoint."""
    account.replies["ReceiveMessage"] = ok(Messages=[MESSAGE]) if command.startswith("dlq list") else ok()
    named = settings_of_the_runbook()
    assert named >= {"AWS_REGION", "ENVIRONMENT", "DEAD_LETTER_QUEUE_URL"}
    left_out = {"AWS_DEFAULT_REGION": None, **{name: None for name in ("EVENT_BUS_NAME",) if name not in named}}

    ended = run_here(*shlex.split(command), **left_out)

    expected = {"trace": ExitStatus.FAILED}.get(command.partition(" ")[0], ExitStatus.DONE)
    assert ended.status == expected, ended.err
    assert signed(account) == {HERE}


def test_there_are_such_commands() -> None:
    assert {command.split()[0] for command in runbook_commands()} == {"trace", "dlq", "invoke", "query"}
