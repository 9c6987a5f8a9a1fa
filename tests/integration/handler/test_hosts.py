"""AWS's host for a call is the one that stock boto3 calls with the same settings."""

import functools
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from copy import replace
from pathlib import Path
from typing import Any, NoReturn

import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.loaders import Loader

from handler.aws import client_config, dynamodb_client, sqs_client
from handler.coldstart import botocore_session, credentials
from tests.support.thorough import some
from tests.unit.handler.harness import settings

ACCOUNT = "111122223333"
VARIANTS = {"AWS_USE_FIPS_ENDPOINT": ("", "true"), "AWS_USE_DUALSTACK_ENDPOINT": ("", "true")}
ACCOUNTS = {
    "AWS_ACCOUNT_ID": ("", ACCOUNT, "not an account"),
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": ("", "preferred", "disabled", "required"),
}
ENDPOINTS = {
    "AWS_ENDPOINT_URL": ("", "http://127.0.0.1:4566"),
    "AWS_ENDPOINT_URL_DYNAMODB": ("", "https://vpce-1.dynamodb.example/base"),
    "AWS_ENDPOINT_URL_SQS": ("", "https://vpce-2.sqs.example:8443"),
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": ("", "true"),
}
CALLS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "sqs": ("SendMessage", {"QueueUrl": f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/q", "MessageBody": "{}"}),
    "sts": ("AssumeRole", {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r", "RoleSessionName": "session"}),
    "sso": ("GetRoleCredentials", {"roleName": "r", "accountId": ACCOUNT, "accessToken": "token"}),
    "sso-oidc": ("CreateToken", {"clientId": "c", "clientSecret": "s", "grantType": "refresh_token"}),
}
# Regions that no data knows yet, of each partition and of none, and what is no region of a service.
NEW_REGIONS = (
    *("eu-south-9", "cn-south-5", "us-gov-south-3", "eusc-de-north-2", "us-iso-new-1", "us-isob-new-1"),
    *("eu-isoe-new-1", "us-isof-new-1", "xx-nowhere-1", "nowhere", "aws-global", "aws-cn-global"),
)


def _regions() -> Iterator[str]:
    """One region of each kind that botocore's data has for either service; pseudo-regions are kinds, too."""
    for partition in json.loads(Path(botocore_session.DATA, "endpoints.json").read_bytes())["partitions"]:
        services = partition["services"].values()
        names = partition["regions"].keys() | {name for service in services for name in service["endpoints"]}
        kinds: dict[object, str] = {}
        for name in sorted(names):
            known = json.dumps([service["endpoints"].get(name) for service in services], sort_keys=True)
            kinds.setdefault(
                (known.replace(name.removeprefix("fips-").removesuffix("-fips"), "*"), "fips" in name), name
            )
        yield from kinds.values()


REGIONS = (*_regions(), *NEW_REGIONS)


def combinations(*of: Mapping[str, tuple[str, ...]]) -> Iterator[dict[str, str]]:
    """Every choice of values for these variables; empty for a variable that is not set."""
    names = [name for variables in of for name in variables]
    for values in itertools.product(*(choices for variables in of for choices in variables.values())):
        yield {name: value for name, value in zip(names, values, strict=True) if value}


def transaction(table: str) -> tuple[str, dict[str, Any]]:
    """The function's call, with other content."""
    item = {"a": {"S": "b"}}
    puts = [{"Put": {"TableName": name, "Item": item}} for name in (table, "earningsAudit")]
    return "TransactWriteItems", {"TransactItems": puts}


class _Caught(Exception):  # noqa: N818 - no error
    """A request, before it is sent."""


def called(make: Callable[[], Any], operation: str, parameters: Mapping[str, Any]) -> str:
    """The URL and the scope of the signature of a call, or how it fails."""

    def catch(request: AWSPreparedRequest, **_: Any) -> NoReturn:
        signed = str(request.headers.get("Authorization", "")).partition("Credential=")[2].partition(",")[0]
        raise _Caught(f"{request.url} {signed.split('/')[2:]}")

    try:
        client = make()
        client.meta.events.register("before-send", catch)
        client._make_api_call(operation, parameters)
    except _Caught as caught:
        return str(caught)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("nothing was called")


@functools.cache
def _whole_data() -> Loader:
    """The whole data. To read it again for each client would take minutes."""
    return Loader()


def stock_session() -> botocore.session.Session:
    """A session as boto3 makes it."""
    session = botocore.session.Session()
    session.register_component("data_loader", _whole_data())
    return session


_shared = functools.cache(stock_session)  # most of the time goes into making one


def hosts(service: str, region: str, *, table: str = "earningsCalendar", shared: bool = True) -> tuple[str, str]:
    """What the function calls, and what stock boto3 would."""
    # Not read from variables: those refuse a queue and a table in another region than the function's.
    given = replace(settings(), region=region, calendar_table=table)
    make: Any = {"dynamodb": dynamodb_client, "sqs": sqs_client}[service]
    session: Any = _shared() if shared else stock_session()
    session._credentials = None  # the account is theirs
    call = transaction(table) if service == "dynamodb" else CALLS[service]
    stock = functools.partial(session.create_client, service, region_name=region)
    return called(lambda: make(given), *call), called(stock, *call)


@pytest.mark.parametrize("region", REGIONS)
def test_in_every_region_and_variant(monkeypatch: pytest.MonkeyPatch, region: str) -> None:
    for variables in some(combinations(VARIANTS), of=4, start=REGIONS.index(region)):
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            for service in ("dynamodb", "sqs"):
                ours, stock = hosts(service, region)
                assert ours == stock, variables


@pytest.mark.parametrize("region", ["eu-central-1", "cn-north-1", "us-gov-west-1"])
def test_with_every_account_mode(monkeypatch: pytest.MonkeyPatch, region: str) -> None:
    seen = set()
    for variables in some(combinations(VARIANTS, ACCOUNTS), of=5):
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            ours, stock = hosts("dynamodb", region)
            assert ours == stock, variables
            seen.add(ours.partition(" ")[0])
    assert (f"https://{ACCOUNT}.ddb.eu-central-1.amazonaws.com/" in seen) is (region == "eu-central-1")


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov"])
@pytest.mark.parametrize("place", [f"eu-central-1:{ACCOUNT}", "eu-west-1:444455556666", "eu-central-1:no account"])
def test_with_a_table_that_is_named_by_its_arn(monkeypatch: pytest.MonkeyPatch, place: str, partition: str) -> None:
    table = f"arn:{partition}:dynamodb:{place}:table/earningsCalendar"
    modes = {"AWS_ACCOUNT_ID": ("", "999988887777"), "AWS_ACCOUNT_ID_ENDPOINT_MODE": ("", "disabled", "required")}
    seen = set()
    for variables in some(combinations({"AWS_USE_DUALSTACK_ENDPOINT": ("", "true")}, modes), of=5):
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            ours, stock = hosts("dynamodb", "eu-central-1", table=table)
            assert ours == stock, variables
            seen.add(ours.partition(" ")[0])
    assert (f"https://{ACCOUNT}.ddb.eu-central-1.amazonaws.com/" in seen) is (ACCOUNT in place)


@pytest.mark.parametrize("service", ["dynamodb", "sqs"])
def test_with_endpoint_variables(monkeypatch: pytest.MonkeyPatch, service: str) -> None:
    for variables in some(combinations(VARIANTS, ENDPOINTS), of=5):
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            ours, stock = hosts(service, "eu-central-1")
            assert ours == stock, variables


CONFIGS = {
    "fips": "use_fips_endpoint = true",
    "dual-stack": "use_dualstack_endpoint = true",
    "an account": f"aws_account_id = {ACCOUNT}",
    "no account": f"aws_account_id = {ACCOUNT}\naccount_id_endpoint_mode = disabled",
    "an account that is missing": "account_id_endpoint_mode = required",
    "an endpoint": "endpoint_url = http://127.0.0.1:1",
    "an endpoint of a service": "services = own\n[services own]\ndynamodb =\n  endpoint_url = http://127.0.0.1:2",
    "endpoints that are ignored": "endpoint_url = http://127.0.0.1:1\nignore_configured_endpoint_urls = true",
    "another region": "region = sa-east-1",
    "defaults": "defaults_mode = standard",
}


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("service", ["dynamodb", "sqs"])
def test_with_a_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, service: str, config: str) -> None:
    keys = "aws_access_key_id = key\naws_secret_access_key = secret\n"
    (tmp_path / "config").write_text(f"[profile own]\n{keys}{CONFIGS[config]}\n")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "own")
    ours, stock = hosts(service, "eu-central-1", shared=False)
    assert ours == stock


# DynamoDB is in no global pseudo-region, so that nobody gets as far as STS there.
@pytest.mark.parametrize("region", [region for region in REGIONS if not region.endswith("-global")])
def test_of_the_services_that_give_credentials(monkeypatch: pytest.MonkeyPatch, region: str) -> None:
    fast, loader = botocore_session.create_session()
    botocore_session.search_credentials(fast, loader, region, client_config(settings()))
    cases = combinations(VARIANTS, {"AWS_STS_REGIONAL_ENDPOINTS": ("", "legacy")})
    for variables in some(cases, of=8, start=REGIONS.index(region)):
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            for service in credentials.SERVICES:
                sessions: list[Any] = [fast, _shared()]
                makers = [functools.partial(session.create_client, service, region_name=region) for session in sessions]
                ours, stock = (called(make, *CALLS[service]) for make in makers)
                assert ours == stock, variables
