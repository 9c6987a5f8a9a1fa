"""No request can carry a credential with a line end, and no line of `mep` shows a credential."""

import http.client

import pytest
from botocore.exceptions import HTTPClientError

from mep.aws_errors import explain
from mep.credentials import VARIABLES, check_variables, redact
from mep.errors import Reason, UsageError

VALUES = ["SENTINEL\nmore", "SENTINEL\r\n", "SENTINEL ", "SENTINEL\tmore", "SENTINELé", "SENTINEL€", "SENTINEL\x00"]


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("value", VALUES, ids=ascii)
def test_a_malformed_variable_is_named_and_not_shown(variable: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"^{variable} has a line end") as raised:
        check_variables({variable: value})

    assert "SENTINEL" not in str(raised.value)


def test_well_formed_variables_are_accepted() -> None:
    check_variables({"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "a/b+c=", "AWS_SESSION_TOKEN": ""})


@pytest.mark.parametrize(
    ("variable", "value", "secret"),
    [
        ("AWS_SECRET_ACCESS_KEY", "SENTINEL+key", "SENTINEL"),
        ("AWS_SESSION_TOKEN", "SENTINEL-of-the-token", "SENTINEL"),
        ("AWS_SESSION_TOKEN", "SENTINEL-1\nSENTINEL-2", "SENTINEL"),
        ("AWS_SESSION_TOKEN", "SENTINEL'é'€", "SENTINEL"),
        ("AWS_BEARER_TOKEN_BEDROCK", "SENTINEL-bearer", "SENTINEL"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=SENTINEL", "SENTINEL"),
        ("https_proxy", "http://user:SENTINEL@proxy:3128", "SENTINEL"),
    ],
)
def test_a_secret_is_replaced_however_it_is_quoted(variable: str, value: str, secret: str) -> None:
    for text in (value, repr(value), ascii(value), repr(value.encode()), f"{variable}={value!r}"):
        assert secret not in redact(text, {variable: value})
        assert f"[{variable}]" in redact(text, {variable: value})


def test_short_values_and_other_variables_are_shown() -> None:
    environ = {"AWS_SECRET_ACCESS_KEY": "local", "HOME": "/home/somebody", "HTTP_PROXY": "http://["}

    assert redact("the local run of /home/somebody", environ) == "the local run of /home/somebody"


@pytest.mark.parametrize("header", ["X-Amz-Security-Token", "Authorization", "User-Agent", "X-Amz-Date"])
def test_a_header_that_cannot_be_sent_is_a_setting(header: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", 9)
    connection.putrequest("POST", "/")
    with pytest.raises(ValueError, match="Invalid header") as raised:
        connection.putheader(header, "SENTINEL\nmore")

    problem = explain(HTTPClientError(error=raised.value))

    assert problem is not None
    assert problem.reason is Reason.SETTING
    assert str(problem) == "the value of a credential cannot be used"
