"""Credentials from wherever botocore finds them: a process as Lambda runs it, and identity services on loopback."""

import dataclasses
import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.httpsession import DEFAULT_CA_BUNDLE

from bench.certificates import make_certificates
from emulator.faults import Fault, FaultProxy, http_status, reset_before
from tests.integration.harness import Services
from tests.integration.sentinel import leaks
from tests.support.events import DATE, unique_event
from tests.support.harness import function_environ, same_json
from tests.support.identity import (
    ACCESS_KEY,
    ACCESS_TOKEN,
    ACCOUNT,
    NEW_ACCESS_TOKEN,
    REFRESH_TOKEN,
    SECRET,
    SESSION,
    WEB_IDENTITY,
    identity_services,
    identity_services_over_tls,
    json_error,
    later,
    operation,
    parameters,
    sts_error,
)
from tests.support.sandbox import Sandbox, sandbox_process
from tests.support.thorough import few

ROLE = f"arn:aws:iam::{ACCOUNT}:role/earnings"
START_URL = "https://corp.awsapps.com/start"
NONE: Mapping[str, str] = {}


@dataclass(frozen=True)
class Source:
    """Where credentials come from.

    Attributes:
        config: `~/.aws/config`; `{url}` is the identity services' and `{home}` the home directory.
        environ: Environment variables, with the same placeholders.
        asked: What the identity services are asked for, in this order.
        token_minutes: Minutes until the cached SSO token expires.
    """

    config: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    token_minutes: float = 60


def profile(name: str, **keys: str) -> str:
    head = name if name.startswith("sso-session") else ("default" if name == "default" else f"profile {name}")
    return "\n".join((f"[{head}]", *(f"{key} = {value}" for key, value in keys.items()), ""))


def role(**how: str) -> str:
    return profile("default", role_arn=ROLE, **how)


BASE = profile("base", aws_access_key_id="source", aws_secret_access_key=SECRET)
SSO_ROLE = {"sso_account_id": ACCOUNT, "sso_role_name": "earnings"}
SESSION_OF_SSO = profile("sso-session corp", sso_start_url=START_URL, sso_region="us-east-1")
LEGACY = {"sso_start_url": START_URL, "sso_region": "us-east-1", **SSO_ROLE}
WEB_FILE = "{home}/web-identity"
PRINT_KEYS = f"{sys.executable} -I {{home}}/keys.py"
ROLE_OF_METADATA = (
    "PUT /latest/api/token",
    "GET /latest/meta-data/iam/security-credentials/",
    "GET /latest/meta-data/iam/security-credentials/a-role",
)
CONTAINER = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{url}/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": SECRET}
SSO_CALL, OIDC_CALL, CONTAINER_CALL = "GET /federation/credentials", "POST /token", "GET /container"

SOURCES = {
    "a profile with keys": Source(
        profile("default", aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET, aws_session_token=SESSION)
    ),
    "a role": Source(BASE + role(source_profile="base"), asked=("AssumeRole",)),
    "a role by a role": Source(
        BASE + profile("middle", role_arn=ROLE, source_profile="base") + role(source_profile="middle"),
        asked=("AssumeRole", "AssumeRole"),
    ),
    "a role by the container": Source(
        role(credential_source="EcsContainer"), CONTAINER, asked=(CONTAINER_CALL, "AssumeRole")
    ),
    "a role by the instance": Source(
        role(credential_source="Ec2InstanceMetadata"), asked=(*ROLE_OF_METADATA, "AssumeRole")
    ),
    "a role by SSO": Source(
        profile("corp", sso_session="corp", **SSO_ROLE) + SESSION_OF_SSO + role(source_profile="corp"),
        asked=(SSO_CALL, "AssumeRole"),
    ),
    "web identity, by variables": Source(
        environ={"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": WEB_FILE}, asked=("AssumeRoleWithWebIdentity",)
    ),
    "web identity, by a profile": Source(role(web_identity_token_file=WEB_FILE), asked=("AssumeRoleWithWebIdentity",)),
    "SSO": Source(profile("default", sso_session="corp", **SSO_ROLE) + SESSION_OF_SSO, asked=(SSO_CALL,)),
    "SSO, its token to be refreshed": Source(
        profile("default", sso_session="corp", **SSO_ROLE) + SESSION_OF_SSO,
        asked=(OIDC_CALL, SSO_CALL),
        token_minutes=-5,
    ),
    "SSO, the older form": Source(profile("default", **LEGACY), asked=(SSO_CALL,)),
    "a process": Source(profile("default", credential_process=PRINT_KEYS)),
    "the container": Source(environ=CONTAINER, asked=(CONTAINER_CALL,)),
    "the instance": Source(asked=ROLE_OF_METADATA),
}


@dataclass
class CredentialHarness:
    """The function's process with a home directory, identity services, and proxies before its own services.

    Attributes:
        sandbox: The process.
        identity: The identity services.
        dynamodb: The proxy before DynamoDB.
        sqs: The proxy before SQS.
        home: The home directory.
        services: The services behind the proxies.
    """

    sandbox: Sandbox
    identity: FaultProxy
    dynamodb: FaultProxy
    sqs: FaultProxy
    home: Path
    services: Services

    def asked(self) -> list[str]:
        """Return the operations that the identity services received."""
        return [operation(recorded.request) for recorded in self.identity.requests]

    def deliver(self) -> tuple[dict[str, Any], Any, dict[str, Any]]:
        """Deliver an event for a new row, and return the event, the answer and the log line with the outcome."""
        event = unique_event()
        self.services.tables.put_row(event["detail"]["asset_symbol"], DATE)
        result = self.sandbox.invoke(event)
        line = [line for line in self.sandbox.logs if "outcome" in line][-1]
        return event, json.loads(result.payload), line

    def security_lines(self) -> list[str]:
        """Return the error codes of the security log lines."""
        return [line["error_code"] for line in self.sandbox.logs if line.get("security")]


@contextmanager
def credential_harness(
    services: Services, home: Path, source: Source, *faults: Fault, **environ: str
) -> Iterator[CredentialHarness]:
    """Start the function with these credentials.

    Args:
        services: The tables and the queue.
        home: An empty directory.
        source: The source of the credentials.
        faults: The faults of the first requests to the identity services.
        environ: Variables that are added or replaced.
    """
    with (
        identity_services() as identity,
        FaultProxy(services.tables.url) as dynamodb,
        FaultProxy(services.queue.url) as sqs,
    ):

        def fill(text: str) -> str:
            return text.replace("{url}", identity.url).replace("{home}", str(home))

        identity.script(*faults)
        _write_home(home, fill(source.config), source.token_minutes)
        given = {
            "HOME": str(home),
            "AWS_CONFIG_FILE": str(home / ".aws/config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws/credentials"),
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": identity.url,
            "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
            **{f"AWS_ENDPOINT_URL_{service}": identity.url for service in ("STS", "SSO", "SSO_OIDC")},
            "AWS_ENDPOINT_URL_DYNAMODB": dynamodb.url,
            "AWS_ENDPOINT_URL_SQS": sqs.url,
            **{name: fill(value) for name, value in source.environ.items()},
            **environ,
        }
        with sandbox_process(function_environ(services.tables, services.queue, **given), credentials=NONE) as sandbox:
            yield CredentialHarness(sandbox, identity, dynamodb, sqs, home, services)


def _write_home(home: Path, config: str, token_minutes: float) -> None:
    cache = home / ".aws/sso/cache"
    cache.mkdir(parents=True)
    (home / ".aws/config").write_text(config)
    (home / "web-identity").write_text(WEB_IDENTITY)
    keys = {"Version": 1, "AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET, "SessionToken": SESSION}
    (home / "keys.json").write_text(json.dumps({**keys, "Expiration": later(hours=1)}))
    (home / "keys.py").write_text(
        "import pathlib, sys\n"
        "here = pathlib.Path(__file__)\n"
        "if here.with_name('denied').exists(): sys.exit('S3NT1N3L')\n"
        "print(here.with_name('keys.json').read_text())\n"
    )
    token = {
        "startUrl": START_URL,
        "region": "us-east-1",
        "accessToken": ACCESS_TOKEN,
        "expiresAt": later(minutes=token_minutes),
        "clientId": "client",
        "clientSecret": SECRET,
        "registrationExpiresAt": later(days=30),
        "refreshToken": REFRESH_TOKEN,
    }
    for key in (START_URL, "corp"):
        (cache / f"{hashlib.sha1(key.encode()).hexdigest()}.json").write_text(json.dumps(token))  # noqa: S324 - the CLI's


def emitted(harness: CredentialHarness) -> list[str | bytes]:
    """Return everything that left the process, except for requests to AWS."""
    return [
        *harness.sandbox.stdout,
        *harness.sandbox.stderr,
        *harness.sandbox.datagrams,
        json.dumps(harness.sandbox.spans),
    ]


@pytest.mark.parametrize("name", SOURCES)
def test_an_event_is_marked_with_credentials_of(services: Services, tmp_path: Path, name: str) -> None:
    source = SOURCES[name]
    with credential_harness(services, tmp_path, source) as harness:
        answers = [harness.deliver()[1] for _ in range(2)]

    assert [answer["outcome"] for answer in answers] == ["marked", "marked"], harness.sandbox.logs
    assert harness.asked() == list(source.asked), "once for both events"
    check_what_was_sent(harness, refreshed=OIDC_CALL in source.asked)
    for recorded in harness.dynamodb.requests:
        assert f"Credential={ACCESS_KEY}/" in recorded.request.headers["authorization"]
        assert recorded.request.headers["x-amz-security-token"] == SESSION
    assert leaks(*emitted(harness)) == []
    assert harness.sandbox.stderr == []


def check_what_was_sent(harness: CredentialHarness, *, refreshed: bool) -> None:
    """Check that each identity service was given what it needs."""
    for request in (recorded.request for recorded in harness.identity.requests):
        given = parameters(request)
        match operation(request):
            case "AssumeRole":
                assert given["RoleArn"] == ROLE
                assert "Credential=" in request.headers["authorization"]
            case "AssumeRoleWithWebIdentity":
                assert (given["RoleArn"], given["WebIdentityToken"]) == (ROLE, WEB_IDENTITY)
                assert "authorization" not in request.headers
            case "GET /federation/credentials":
                assert f"account_id={ACCOUNT}" in request.path
                assert request.headers["x-amz-sso_bearer_token"] == (NEW_ACCESS_TOKEN if refreshed else ACCESS_TOKEN)
            case "GET /container":
                assert request.headers["authorization"] == SECRET


SSO_EXPIRED = dataclasses.replace(SOURCES["SSO"], token_minutes=-5)
LEGACY_EXPIRED = dataclasses.replace(SOURCES["SSO, the older form"], token_minutes=-5)
# Without a secret: what botocore says of it at the start is printed by the runtime client.
FORBIDDEN, NO_ROLE = http_status(403, b"{}"), http_status(404, b"{}")

DENIED = {
    "a role that may not be assumed": (SOURCES["a role"], [sts_error("AccessDenied", 403)], "AccessDenied"),
    "a role whose source has expired": (SOURCES["a role"], [sts_error("ExpiredToken", 403)], "ExpiredToken"),
    "a role of an unknown key": (SOURCES["a role"], [sts_error("InvalidClientTokenId", 403)], "InvalidClientTokenId"),
    "a role's parameters": (SOURCES["a role"], [sts_error("ValidationError", 400)], "ValidationError"),
    "a code of next year": (SOURCES["a role"], [sts_error("OfNextYear", 400)], "OfNextYear"),
    "web identity": (
        SOURCES["web identity, by variables"],
        [sts_error("InvalidIdentityToken", 400)],
        "InvalidIdentityToken",
    ),
    "web identity that has expired": (
        SOURCES["web identity, by a profile"],
        [sts_error("ExpiredTokenException", 400)],
        "ExpiredTokenException",
    ),
    "an SSO session": (SOURCES["SSO"], [json_error("UnauthorizedException", 401)], "UnauthorizedSSOTokenError"),
    "an SSO role": (SOURCES["SSO"], [json_error("ResourceNotFoundException", 404)], "ResourceNotFoundException"),
    "an SSO token that is not refreshed": (
        SSO_EXPIRED,
        [json_error("InvalidGrantException", 400)],
        "TokenRetrievalError",
    ),
    "the container": (SOURCES["the container"], [FORBIDDEN] * 6, "CredentialRetrievalError"),
    "the instance": (SOURCES["the instance"], [FORBIDDEN, NO_ROLE] * 2, "NoCredentialsError"),
}
"""A source, what its identity services do until the dead letter is to be sent, and the code."""


@pytest.mark.parametrize("name", few(DENIED, of=3))
def test_credentials_that_are_denied_once(services: Services, tmp_path: Path, name: str) -> None:
    source, faults, code = DENIED[name]
    with credential_harness(services, tmp_path, source, *faults) as harness:
        event, answer, line = harness.deliver()
        _, next_answer, _ = harness.deliver()

    assert harness.dynamodb.requests[0].request.headers["x-amz-security-token"] == SESSION
    assert (answer["outcome"], answer["error_category"], answer["error_code"]) == (
        "dead_lettered",
        "access_denied",
        code,
    )
    check_denied(harness, f"DynamoDB: {code}")
    services.dead_letters.extend(services.queue.drain())
    (dead_letter,) = [each for each in services.dead_letters if each.message_id == line["dead_letter_id"]]
    assert same_json(dead_letter.body, event)
    assert dead_letter.attributes["ERROR_CODE"] == "access_denied"
    assert next_answer["outcome"] == "marked", "the next event asks again"


def check_denied(harness: CredentialHarness, *codes: str) -> None:
    """Check the security lines and metrics, and that nothing of the credentials got out."""
    assert harness.security_lines() == list(codes)
    assert sum(line.get("SecurityErrors", 0) for line in harness.sandbox.metrics) == len(codes)
    failed = next(span for span in harness.sandbox.spans if span["name"] == "DynamoDB.TransactWriteItems")
    assert failed["attributes"]["error_category"] == "access_denied"
    assert leaks(*emitted(harness)) == []
    assert harness.sandbox.stderr == []


def _expire(home: Path) -> None:
    keys = json.loads((home / "keys.json").read_text())
    (home / "keys.json").write_text(json.dumps(keys | {"Expiration": later(minutes=-1)}))


@dataclass(frozen=True)
class Lost:
    """Credentials that cannot be had.

    Attributes:
        source: Where they come from.
        code: What the failure is called.
        lose: Takes them away in the home directory.
        started: Whether that comes after the start.
    """

    source: Source
    code: str
    lose: Callable[[Path], object] = lambda _: None
    started: bool = False


def _write_keys(text: str) -> Callable[[Path], object]:
    return lambda home: (home / "keys.json").write_text(text)


VARIABLES = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": SESSION}
PROGRAM, WEB = SOURCES["a process"], SOURCES["web identity, by variables"]
LOST = {
    "a program that fails": Lost(PROGRAM, "CredentialRetrievalError", lambda home: (home / "denied").touch()),
    "a program that says anything": Lost(PROGRAM, "JSONDecodeError", _write_keys("S3NT1N3L")),
    "a program with another answer": Lost(PROGRAM, "CredentialRetrievalError", _write_keys('{"Version": 1}')),
    "expired keys of a program": Lost(PROGRAM, "ExpiredCredentials", _expire),
    "a web identity that is gone": Lost(
        WEB, "FileNotFoundError", lambda home: (home / "web-identity").unlink(), started=True
    ),
    "an SSO session that nobody has opened": Lost(
        SOURCES["SSO"], "SSOTokenLoadError", lambda home: shutil.rmtree(home / ".aws/sso")
    ),
    "an SSO session that is over": Lost(LEGACY_EXPIRED, "UnauthorizedSSOTokenError"),
    "expired keys in variables": Lost(
        Source(environ=VARIABLES | {"AWS_CREDENTIAL_EXPIRATION": later(minutes=-1)}), "ExpiredCredentials"
    ),
    "a place where there are none": Lost(Source(environ={"AWS_EC2_METADATA_DISABLED": "true"}), "NoCredentialsError"),
}


@pytest.mark.parametrize("name", few(LOST, of=3, start=1))
def test_credentials_that_are_lost(services: Services, tmp_path: Path, name: str) -> None:
    lost = LOST[name]
    with credential_harness(services, tmp_path, lost.source) as harness:
        if not lost.started:
            lost.lose(tmp_path)
        assert harness.sandbox.worker.start() is None
        if lost.started:
            lost.lose(tmp_path)
        _, answer, line = harness.deliver()

    assert not harness.dynamodb.requests
    assert not harness.sqs.requests
    assert answer["errorType"] == "EventNotProcessed", "the queue cannot be reached without them either"
    assert (line["outcome"], line["error_category"], line["error_code"]) == ("retry", "access_denied", lost.code)
    assert line["dead_letter_error"] == f"access_denied: {lost.code}"
    check_denied(harness, f"SQS: {lost.code}")


PASSING = {
    "throttled": (SOURCES["a role"], sts_error("Throttling", 400), "throttling"),
    "unavailable": (SOURCES["a role"], sts_error("ServiceUnavailable", 503), "dynamodb"),
    "a proxy's page": (SOURCES["SSO"], http_status(502), "dynamodb"),
    "reset": (SOURCES["a role"], reset_before(), "network"),
    "the provider of identities": (
        SOURCES["web identity, by variables"],
        sts_error("IDPCommunicationError", 400),
        "network",
    ),
}


@pytest.mark.parametrize(
    ("name", "cold_start"), few([(name, start) for start in ("fast", "standard") for name in PASSING], of=3)
)
def test_transient_failures_are_retried_once_each(
    services: Services, tmp_path: Path, name: str, cold_start: str
) -> None:
    source, fault, category = PASSING[name]
    with credential_harness(services, tmp_path, source, fault, HANDLER_COLD_START=cold_start) as harness:
        _, answer, line = harness.deliver()

    assert answer["outcome"] == "marked"
    assert line["attempts"] == 2
    (wait,) = [each for each in harness.sandbox.logs if "delay_ms" in each]
    assert wait["error_category"] == category
    assert len(harness.asked()) == 2, "botocore itself tries once"
    assert harness.security_lines() == []
    assert leaks(*emitted(harness)) == []


@pytest.mark.parametrize("trusted", [True, False])
def test_sts_over_tls(services: Services, tmp_path: Path, *, trusted: bool) -> None:
    """By the certificates that botocore brings, which an ordinary start does not look for."""
    certificates = make_certificates(tmp_path, Path(DEFAULT_CA_BUNDLE))
    (tmp_path / "home").mkdir()
    with identity_services_over_tls(certificates.server) as url:
        given = {"AWS_ENDPOINT_URL_STS": url} | ({"AWS_CA_BUNDLE": str(certificates.bundle)} if trusted else {})
        with credential_harness(services, tmp_path / "home", SOURCES["a role"], **given) as harness:
            _, answer, line = harness.deliver()

    if trusted:
        assert answer["outcome"] == "marked"
    else:
        assert (line["error_category"], line["error_code"]) == ("network", "SSLError")
