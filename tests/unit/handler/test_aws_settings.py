"""What goes to AWS is checked for where it goes: tables, the queue, endpoints, credentials, and what boto3 reads."""

import gzip
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.args
import botocore.utils
import pytest
from botocore.endpoint_provider import EndpointProvider
from botocore.httpsession import DEFAULT_CA_BUNDLE
from hypothesis import given
from hypothesis import strategies as st

from handler.aws_settings import CHOICES, host_region
from handler.errors import SettingsError
from handler.settings import load_settings
from otel.settings.environ import AWS_SUFFIXES
from tests.unit.handler.harness import ENVIRON

CALENDAR, AUDIT, QUEUE = "EARNINGS_CALENDAR_TABLE", "EARNINGS_AUDIT_TABLE", "DEAD_LETTER_QUEUE_URL"
PATH = "/111122223333/earnings-dead-letters"
STANDARD = "must be the URL of a standard queue, not of a FIFO queue"
ELSEWHERE = "must be the URL of a queue in the function's own region: the URL's host is in another one"
NO_URL = "must be a URL such as https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"
NO_TABLE = "must be the name of a DynamoDB table (3 to 255 letters, digits, _ . -) or its ARN"
DATA = Path(botocore.args.__file__).parent / "data"
PARTITIONS: dict[str, Any] = json.loads((DATA / "partitions.json").read_text())


def problems(**environ: str) -> list[str]:
    """What is wrong with these variables."""
    try:
        load_settings(ENVIRON | environ)
    except SettingsError as error:
        return list(error.problems)
    return []


def aws_hosts() -> Iterator[tuple[str, str]]:
    """Every region, and a host of it that botocore calls: all partitions, with and without FIPS and IPv6."""
    for service in ("sqs/2012-11-05", "dynamodb/2012-08-10"):
        rules = json.loads(gzip.decompress((DATA / service / "endpoint-rule-set-1.json.gz").read_bytes()))
        provider = EndpointProvider(rules, PARTITIONS)
        for region in (region for partition in PARTITIONS["partitions"] for region in partition["regions"]):
            for fips, ipv6 in ((False, False), (True, False), (False, True), (True, True)):
                found = provider.resolve_endpoint(Region=region, UseFIPS=fips, UseDualStack=ipv6)
                yield region, str(urlsplit(found.url).hostname)


def test_the_region_is_read_from_every_host_that_botocore_knows() -> None:
    hosts = set(aws_hosts())
    assert len(hosts) > 250
    assert [(region, host) for region, host in hosts if host_region(host) != region] == []


def test_the_suffixes_are_those_of_botocores_partitions() -> None:
    outputs = [partition["outputs"] for partition in PARTITIONS["partitions"]]
    assert set(AWS_SUFFIXES) == {f".{each[name]}" for each in outputs for name in ("dnsSuffix", "dualStackDnsSuffix")}


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("queue.amazonaws.com", "us-east-1"),
        ("eu-west-1.queue.amazonaws.com", "eu-west-1"),
        ("cn-north-1.queue.amazonaws.com.cn", "cn-north-1"),
        ("vpce-0a1b2c-3d4e.sqs.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
        ("vpce-0a1b2c-3d4e-eu-west-1a.sqs.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
        ("vpce-0a1b2c-3d4e.dynamodb-fips.us-east-1.vpce.amazonaws.com", "us-east-1"),
        ("111122223333.ddb.eu-west-1.amazonaws.com", "eu-west-1"),
        # not AWS's, or not of these services: whoever runs it decides what its names mean
        ("localhost", ""),
        ("127.0.0.1", ""),
        ("sqs.us-east-1.localhost.localstack.cloud", ""),
        ("sqs.eu-west-1.amazonaws.com.example.org", ""),
        ("ec2-1-2-3-4.eu-west-1.compute.amazonaws.com", ""),
        ("my-balancer-12.eu-west-1.elb.amazonaws.com", ""),
        ("sqs.amazonaws.com", ""),
        ("amazonaws.com", ""),
        ("", ""),
    ],
)
def test_other_forms_of_hosts(host: str, region: str) -> None:
    assert host_region(host) == region


@pytest.mark.parametrize("host", sorted({host for region, host in aws_hosts() if region == "eu-west-1"}))
def test_a_queue_of_another_region_is_refused(host: str) -> None:
    if "dynamodb" in host:
        return
    assert problems(DEAD_LETTER_QUEUE_URL=f"https://{host}{PATH}") == [f"{QUEUE} {ELSEWHERE}"]
    assert problems(DEAD_LETTER_QUEUE_URL=f"https://{host}{PATH}", AWS_REGION="eu-west-1") == []


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (f"https://sqs.us-east-1.amazonaws.com{PATH}", None),
        (f"https://SQS.US-EAST-1.AMAZONAWS.COM{PATH}", None),
        (f"http://queue.amazonaws.com{PATH}", None),
        (f"https://eu-west-1.queue.amazonaws.com{PATH}", ELSEWHERE),
        (f"https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com{PATH}", ELSEWHERE),
        (f"http://127.0.0.1:9324{PATH}", None),
        ("http://localhost:9324/queue/name", None),
        ("http://a_service:9324/name", None),
        (f"http://[::1]:9324{PATH}", None),
        (f"http://sqs.eu-west-1.localhost.localstack.cloud:4566{PATH}", None),
        # form
        ("earnings-dead-letters", NO_URL),
        ("arn:aws:sqs:us-east-1:111122223333:earnings-dead-letters", NO_URL),
        (f"ftp://sqs.us-east-1.amazonaws.com{PATH}", NO_URL),
        (f"//sqs.us-east-1.amazonaws.com{PATH}", NO_URL),
        (f"https://{PATH}", NO_URL),
        ("https://sqs.us-east-1.amazonaws.com", NO_URL),
        ("https://sqs.us-east-1.amazonaws.com/", NO_URL),
        ("https://sqs.us-east-1.amazonaws.com/earnings-dead-letters", NO_URL),
        (f"https://sqs.us-east-1.amazonaws.com{PATH}/", NO_URL),
        (f"https://sqs.us-east-1.amazonaws.com{PATH}?a=b", NO_URL),
        ("https://sqs.us-east-1.amazonaws.com/1111/earnings-dead-letters", NO_URL),
        ("https://sqs.us-east-1.amazonaws.com/111122223333/a.queue", NO_URL),
        ("https://sqs.us-east-1.amazonaws.com/111122223333/" + "q" * 81, NO_URL),
        ("http://localhost:9324", NO_URL),
        ("http://localhost:port/queue", NO_URL),
        ("http://localhost:65536/queue", NO_URL),
        ("http://a b/queue", NO_URL),
        ("http://-a/queue", NO_URL),
        ("http://\u00fc/queue", NO_URL),
        ("http://[::1/queue", NO_URL),
        ("http://[]/queue", NO_URL),
        # where it goes
        (f"https://sqs.us-east-1.amazonaws.com{PATH}.fifo", STANDARD),
        (f"http://localhost:9324{PATH}.fifo", STANDARD),
        (
            f"https://user:s3ntinel@sqs.us-east-1.amazonaws.com{PATH}",
            "must be a URL without a user or password: requests are signed with the function's credentials",
        ),
        (f"https://sqs.us-east-1.amazonaws.com{PATH}\udcff", "must be text in UTF-8"),
    ],
)
def test_the_queues_url(url: str, problem: str | None) -> None:
    assert problems(DEAD_LETTER_QUEUE_URL=url) == ([f"{QUEUE} {problem}"] if problem else [])


def test_an_emulators_queue_may_have_any_name() -> None:
    elsewhere = {QUEUE: f"https://sqs.eu-west-1.amazonaws.com{PATH}"}
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS"):
        assert problems(**elsewhere, **{name: "http://localhost:4566"}) == []
        ignored = {name: "http://localhost:4566", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
        assert problems(**elsewhere, **ignored) == [f"{QUEUE} {ELSEWHERE}"]
        aws = {name: "https://vpce-1.sqs.us-east-1.vpce.amazonaws.com"}
        assert problems(**elsewhere, **aws) == [f"{QUEUE} {ELSEWHERE}"]
    assert problems(**elsewhere, AWS_ENDPOINT_URL_DYNAMODB="http://localhost:4566") == [f"{QUEUE} {ELSEWHERE}"]


@pytest.mark.parametrize("region", ["fips-us-east-1", "us-east-1-fips"])
def test_a_regions_older_name_is_the_same_region(region: str) -> None:
    assert problems(AWS_REGION=region) == []


@pytest.mark.parametrize(
    ("region", "good"),
    [
        *((region, True) for region in ("us-east-1", "us-gov-west-1", "eusc-de-east-1", "local", "x", "a" * 63)),
        *(
            (region, False)
            for region in ("a" * 64, "12", "1-2", "-a", "a-", "a--b", "a.b", "a/b", "a_b", "\u00fc", "a b")
        ),
    ],
)
@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_regions(name: str, region: str, good: bool) -> None:
    given = {"AWS_REGION": "", QUEUE: "http://localhost/queue", name: region}
    assert problems(**given) == ([] if good else [f"{name} must be the name of a region such as eu-central-1"])


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("AWS_ENDPOINT_URL_DYNAMODB", "dynamodb.eu-west-1.amazonaws.com"),
        ("AWS_ENDPOINT_URL_DYNAMODB", "111122223333.ddb.eu-west-1.amazonaws.com"),
        ("AWS_ENDPOINT_URL_SQS", "vpce-1.sqs.eu-west-1.vpce.amazonaws.com"),
        ("AWS_ENDPOINT_URL", "sqs.eu-west-1.api.aws"),
    ],
)
def test_an_endpoint_of_another_region_is_refused(name: str, host: str) -> None:
    rule = "must be an endpoint in the function's own region, for which requests are signed"
    assert problems(**{name: f"https://{host}"}) == [f"{name} {rule}"]
    queue = f"https://sqs.eu-west-1.amazonaws.com{PATH}"
    assert problems(**{name: f"https://{host}"}, AWS_REGION="eu-west-1", DEAD_LETTER_QUEUE_URL=queue) == []


ARN = "arn:aws:dynamodb:us-east-1:111122223333:table/earnings"


@pytest.mark.parametrize("name", [CALENDAR, AUDIT])
@pytest.mark.parametrize(
    ("table", "problem"),
    [
        *((good, None) for good in ("abc", "a.b", "A-b_C.9", "x" * 255, ARN, ARN.replace("aws", "aws-cn"))),
        *((bad, NO_TABLE) for bad in ("ab", "x" * 256, "a/b", "a b", "a:b", "t\u00e4ble", "a\x01b", "table/earnings")),
        *((ARN.replace(*change), NO_TABLE) for change in (("arn", "urn"), ("aws", "gcp"), ("dynamodb", "sqs"))),
        *((ARN.replace(*change), NO_TABLE) for change in (("table/", "index/"), ("1111", "1"), ("earnings", "ea"))),
        (f"{ARN}/stream/2026", NO_TABLE),
        (ARN.replace("us-east-1", "eu-west-1"), "must be the ARN of a table in the function's own region"),
        ("abc\udcff", "must be text in UTF-8"),
    ],
)
def test_tables(name: str, table: str, problem: str | None) -> None:
    assert problems(**{name: table}) == ([f"{name} {problem}"] if problem else [])


def test_the_tables_are_two() -> None:
    assert problems(EARNINGS_CALENDAR_TABLE="earningsAudit") == [f"{AUDIT} must be another table than {CALENDAR}"]


@pytest.mark.parametrize(
    "name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"]
)
@pytest.mark.parametrize(
    "bad", ["s3ntinel\n", "s3nt inel", "s3ntinel\udcff", "s3ntinel\u00fc", "\ts3ntinel", "s3\x01ntinel"]
)
def test_credentials_that_no_request_can_carry(name: str, bad: str) -> None:
    pair = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"}
    assert problems(**(pair | {name: bad})) == [
        f"{name} must be printable ASCII without blanks: copy it again, without the line's end"
    ]
    assert problems(**(pair | {name: "a/b+c=="})) == []


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_half_of_the_credentials(name: str) -> None:
    assert problems(**{name: "x"}) == ["AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together"]


@pytest.mark.parametrize("name", CHOICES)
def test_choices_of_botocore(name: str) -> None:
    allowed = CHOICES[name]
    assert problems(**{name: "xyzzy"}) == [f"{name} must be one of {', '.join(allowed)}"]
    assert [problem for value in allowed for problem in problems(**{name: value})] == []


def test_the_choices_are_botocores_own() -> None:
    modes = json.loads(gzip_or_plain(DATA / "sdk-default-configuration.json"))["modes"]
    assert set(CHOICES["AWS_DEFAULTS_MODE"]) == {"legacy", "auto", *modes}
    assert set(CHOICES["AWS_ACCOUNT_ID_ENDPOINT_MODE"]) == set(botocore.args.VALID_ACCOUNT_ID_ENDPOINT_MODE_CONFIG)
    assert set(CHOICES["AWS_STS_REGIONAL_ENDPOINTS"]) == set(botocore.args.VALID_REGIONAL_ENDPOINTS_CONFIG)
    assert set(CHOICES["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"]) == set(botocore.utils.METADATA_ENDPOINT_MODES)
    requests = botocore.args.VALID_REQUEST_CHECKSUM_CALCULATION_CONFIG
    assert set(CHOICES["AWS_REQUEST_CHECKSUM_CALCULATION"]) == set(requests)
    responses = botocore.args.VALID_RESPONSE_CHECKSUM_VALIDATION_CONFIG
    assert set(CHOICES["AWS_RESPONSE_CHECKSUM_VALIDATION"]) == set(responses)


def gzip_or_plain(path: Path) -> bytes:
    """A file of botocore's data, which may be packed."""
    return path.read_bytes() if path.exists() else gzip.decompress(path.with_name(f"{path.name}.gz").read_bytes())


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"])
@pytest.mark.parametrize(
    ("proxy", "good"),
    [
        *((proxy, True) for proxy in ("http://proxy:3128", "https://user:pw@proxy.example", "proxy:3128", "10.0.0.1")),
        *((proxy, True) for proxy in ("http://user:p%40s%3As@proxy:3128",)),
        *((proxy, False) for proxy in ("http://user:p%E2%82%AC@proxy:3128", "us%C3%A9r@proxy")),
        *((proxy, False) for proxy in ("socks5://proxy", "http://", "proxy:port", "a b", "http://\u00fc", "x" * 64)),
    ],
)
def test_proxies(name: str, proxy: str, good: bool) -> None:
    rule = "must be the URL of an HTTP proxy such as http://proxy:3128, its user and password in ASCII"
    assert problems(**{name: proxy}) == ([] if good else [f"{name} {rule}"])


def first_certificate() -> str:
    """One real certificate."""
    return Path(DEFAULT_CA_BUNDLE).read_text().split("-----END CERTIFICATE-----")[0].rpartition("-----BEGIN")[2]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Files that are certificates, and files that are none."""
    one = f"-----BEGIN{first_certificate()}-----END CERTIFICATE-----\n"
    texts = {
        "one": one,
        "two": f"# a comment\n{one}\n{one}",
        "empty": "",
        "text": "no certificate\n",
        "garbage": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "cut": one + one[: len(one) // 2],
        "key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize(
    ("file", "good"),
    [
        *((file, True) for file in ("one", "two")),
        *((file, False) for file in ("empty", "text", "garbage", "cut", "key", "folder", "missing")),
    ],
)
def test_certificates(files: Path, name: str, file: str, good: bool) -> None:
    rule = "must be a readable file of PEM certificates"
    assert problems(**{name: str(files / file)}) == ([] if good else [f"{name} {rule}"])
    if good:
        ssl.create_default_context().load_verify_locations(files / file)
    elif file != "folder":
        with pytest.raises(OSError):  # noqa: PT011 - ssl's is one of several
            ssl.create_default_context().load_verify_locations(files / file)


def test_of_two_bundles_the_first_counts(files: Path) -> None:
    assert problems(AWS_CA_BUNDLE=str(files / "one"), REQUESTS_CA_BUNDLE=str(files / "missing")) == []
    assert problems(AWS_CA_BUNDLE=DEFAULT_CA_BUNDLE) == []


def test_a_file_for_the_secrets_of_tls(tmp_path: Path) -> None:
    rule = "must be a file that can be written: leave it unset where there is no need"
    assert problems(SSLKEYLOGFILE=str(tmp_path)) == [f"SSLKEYLOGFILE {rule}"]
    assert problems(SSLKEYLOGFILE=str(tmp_path / "keys")) == []


@given(
    st.text(st.characters(min_codepoint=1), max_size=40),
    st.sampled_from([QUEUE, CALENDAR, "AWS_ENDPOINT_URL", "HTTPS_PROXY"]),
)
def test_any_text_is_good_or_one_problem_without_it(text: str, name: str) -> None:
    found = problems(**{name: text})
    assert len(found) <= 1
    assert all(problem.startswith(name) for problem in found)
