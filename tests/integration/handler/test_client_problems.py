"""What boto3 refuses, and what would fail every event, is one line at the start that names the settings."""

import itertools
import os
from collections.abc import Mapping
from copy import replace
from pathlib import Path

import pytest
from botocore.session import Session

from handler import bootstrap
from handler.aws import dynamodb_client, sqs_client
from handler.bootstrap import create_processor
from handler.errors import SettingsError
from tests.integration.handler.test_hosts import ACCOUNT, CALLS, VARIANTS, called, combinations, transaction
from tests.support.thorough import some
from tests.unit.handler.harness import ENVIRON, settings

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "s3ntinel"}
NO_KEYS = dict.fromkeys(KEYS, "")
SILENT = {"OTEL_SDK_DISABLED": "true"}

VARIABLES = sorted(
    name
    for _, variable, *_ in Session.SESSION_VARIABLES.values()
    for name in ([variable] if isinstance(variable, str) else variable or ())
)


QUEUE = "http://127.0.0.1:1/111122223333/earnings-dead-letters"
"""In any region."""


def problems(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> tuple[str, ...]:
    """What a start with these variables complains of."""
    with monkeypatch.context() as patch:
        for name, value in {**ENVIRON, **SILENT, "DEAD_LETTER_QUEUE_URL": QUEUE, **variables}.items():
            patch.setenv(name, value)
        try:
            create_processor({**os.environ}, lambda _: None)._calendar._client.close()
        except SettingsError as refused:
            return refused.problems
    return ()


@pytest.mark.parametrize("keys", [KEYS, NO_KEYS], ids=["with keys", "without keys"])
@pytest.mark.parametrize("value", ["S3ntinel", "\x1b[31m S3ntinel", "-1"])
def test_every_variable_of_botocore_is_taken_or_named(
    monkeypatch: pytest.MonkeyPatch, keys: Mapping[str, str], value: str
) -> None:
    refused = set()
    for name in VARIABLES:
        reported = problems(monkeypatch, {**keys, name: value})
        if reported:
            (problem,) = reported
            assert problem.startswith(f"{name} must be "), problem
            assert value not in problem
            assert "\n" not in problem
            refused.add(name)
    assert refused > {"AWS_PROFILE", "AWS_ACCOUNT_ID_ENDPOINT_MODE", "AWS_DEFAULTS_MODE", "AWS_STS_REGIONAL_ENDPOINTS"}


ACCOUNTS = {
    "AWS_ACCOUNT_ID": ("", ACCOUNT, "s3ntinel account"),
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": ("", "required"),
    "AWS_ENDPOINT_URL_DYNAMODB": ("", "http://127.0.0.1:1"),
}


@pytest.mark.parametrize("region", ["eu-central-1", "cn-north-1", "local"])
def test_a_start_fails_where_every_call_would(monkeypatch: pytest.MonkeyPatch, region: str) -> None:
    given, failed = replace(settings(), region=region), 0
    for variables in some(combinations(VARIANTS, ACCOUNTS), of=5):
        reported = problems(monkeypatch, {**KEYS, **variables, "AWS_REGION": region})
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            calls = [
                called(lambda: dynamodb_client(given), *transaction("earningsCalendar")),
                called(lambda: sqs_client(given), *CALLS["sqs"]),
            ]
        assert len(reported) == sum("Error" in call for call in calls), (variables, calls)
        for problem in reported:
            named = [name for name in variables if not name.startswith("AWS_ENDPOINT")]
            assert problem.startswith("AWS_REGION, ")
            assert all(name in problem for name in named)
            assert "s3ntinel" not in problem
        failed += bool(reported)
    assert failed


def ini(**profiles: Mapping[str, str]) -> str:
    return "".join(
        f"[{name.replace('__', ' ')}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
        for name, keys in profiles.items()
    )


ROLE = {"role_arn": "arn:aws:iam::111122223333:role/s3ntinel"}
SSO = {"sso_account_id": "111122223333", "sso_role_name": "s3ntinel"}
WRONG_PROFILES: Mapping[str, tuple[str, str]] = {
    "a role of nobody": (ini(profile__own=ROLE), "source_profile, credential_source"),
    "a role of two": (
        ini(profile__own=ROLE | {"source_profile": "own", "credential_source": "Environment"}),
        "source_profile, credential_source",
    ),
    "a role of a profile that is missing": (ini(profile__own=ROLE | {"source_profile": "s3ntinel"}), "source_profile"),
    "a role of a profile without credentials": (
        ini(profile__own=ROLE | {"source_profile": "s3ntinel"}, profile__s3ntinel={"region": "us-east-1"}),
        "must be a profile that can give credentials",
    ),
    "a role in a circle": (
        ini(
            profile__own=ROLE | {"source_profile": "s3ntinel"},
            profile__s3ntinel=ROLE | {"source_profile": "own"},
        ),
        "source_profile",
    ),
    "a role of an unknown source": (ini(profile__own=ROLE | {"credential_source": "s3ntinel"}), "must be a profile"),
    "SSO without a session": (ini(profile__own=SSO), "sso_start_url, sso_region"),
    "SSO of a session that is missing": (ini(profile__own=SSO | {"sso_session": "s3ntinel"}), "sso-session"),
    "SSO of two regions": (
        ini(
            profile__own=SSO | {"sso_session": "corp", "sso_region": "s3ntinel"},
            sso_session={},
        ).replace("[sso_session]", "[sso-session corp]\nsso_start_url = https://s3ntinel\nsso_region = us-east-1"),
        "sso_region",
    ),
    "web identity without a role": (ini(profile__own={"web_identity_token_file": "/s3ntinel"}), "role"),
    "web identity without a file": (
        ini(profile__own=ROLE | {"web_identity_token_file": "/s3ntinel"}),
        "files and programs",
    ),
    "half a key": (ini(profile__own={"aws_access_key_id": "s3ntinel"}), "must be a profile that can give credentials"),
    "a program that is missing": (ini(profile__own={"credential_process": "/s3ntinel/program"}), "files and programs"),
    "a program with half a quotation": (ini(profile__own={"credential_process": "'s3ntinel"}), "must be a profile"),
    "a login": (ini(profile__own={"login_session": "s3ntinel"}), "`aws login`"),
}


@pytest.mark.parametrize("name", WRONG_PROFILES)
def test_a_profile_that_gives_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    config, about = WRONG_PROFILES[name]
    (tmp_path / "config").write_text(config)
    given = {**NO_KEYS, "AWS_PROFILE": "own", "AWS_CONFIG_FILE": str(tmp_path / "config")}
    (problem,) = problems(monkeypatch, given)
    assert problem.startswith("AWS_PROFILE must ")
    assert about in problem
    assert "s3ntinel" not in problem


@pytest.mark.parametrize(
    ("keys", "right"),
    [
        ({"aws_account_id": ACCOUNT}, True),
        ({}, False),
        (ROLE | {"source_profile": "own"}, True),
    ],
    ids=["with an account", "without", "a role, whose account comes with it"],
)
def test_a_profile_that_wants_an_accounts_endpoint(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, keys: Mapping[str, str], right: bool
) -> None:
    static = {"aws_access_key_id": "key", "aws_secret_access_key": "s3ntinel", "account_id_endpoint_mode": "required"}
    (tmp_path / "config").write_text(ini(profile__own={**static, **keys}))
    reported = problems(monkeypatch, {**NO_KEYS, "AWS_PROFILE": "own", "AWS_CONFIG_FILE": str(tmp_path / "config")})
    assert [problem.partition(" do not go together")[0] for problem in reported] == (
        [] if right else ["AWS_REGION, AWS_DEFAULT_REGION, AWS_PROFILE, AWS_CONFIG_FILE"]
    )


@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
@pytest.mark.parametrize("content", [b"s3ntinel", b"[default]\n[default]\n", b"\xff\xfe s3ntinel"])
def test_files_that_are_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    (problem,) = problems(monkeypatch, {**NO_KEYS, variable: str(tmp_path / "file")})
    assert problem.startswith("AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE must be")
    assert "s3ntinel" not in problem


@pytest.mark.parametrize("expiration", ["s3ntinel", "2999-01-01T00:00:00", "9" * 40, "2999-13-01T00:00:00Z"])
def test_an_expiration_that_is_none(monkeypatch: pytest.MonkeyPatch, expiration: str) -> None:
    (problem,) = problems(monkeypatch, {**KEYS, "AWS_CREDENTIAL_EXPIRATION": expiration})
    assert problem.startswith("AWS_CREDENTIAL_EXPIRATION must be ")
    assert expiration not in problem


@pytest.mark.parametrize("expiration", ["2999-01-01T00:00:00Z", "2999-01-01T00:00:00+02:00", "2001-01-01T00:00:00Z"])
def test_an_expiration_of_any_form(monkeypatch: pytest.MonkeyPatch, expiration: str) -> None:
    """An expiration that is past is a failure of each event."""
    assert problems(monkeypatch, {**KEYS, "AWS_CREDENTIAL_EXPIRATION": expiration}) == ()


def test_half_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems(monkeypatch, {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": ""}) == (
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together",
    )


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        (
            {"AWS_ROLE_ARN": ROLE["role_arn"], "AWS_WEB_IDENTITY_TOKEN_FILE": "/s3ntinel"},
            "AWS_WEB_IDENTITY_TOKEN_FILE",
        ),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/s3ntinel"}, "AWS_ROLE_ARN"),
        (
            {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/s3ntinel",
            },
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        ),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://s3ntinel/"}, "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        (
            {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": "s3ntinel\r\nHeader: s3ntinel",
            },
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ),
    ],
)
def test_variables_for_credentials(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str], name: str) -> None:
    (problem,) = problems(monkeypatch, {**NO_KEYS, **variables})
    assert problem.startswith(name)
    assert "s3ntinel" not in problem


def test_a_defect_is_not_reported_as_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise TypeError

    monkeypatch.setattr(bootstrap, "dynamodb_client", broken)
    with pytest.raises(TypeError):
        problems(monkeypatch, KEYS)


def test_what_is_right_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    for region, variant in itertools.product(["eu-central-1", "us-gov-west-1"], combinations(VARIANTS)):
        assert problems(monkeypatch, {**KEYS, **variant, "AWS_REGION": region}) == ()
    assert problems(monkeypatch, NO_KEYS) == (), "the metadata of a container or an instance may come later"
