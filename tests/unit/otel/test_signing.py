"""Requests to AWS's own OTLP endpoints: botocore itself checks the signature of what a TLS server receives."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import botocore
import pytest
import trustme
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import NoCredentialsError

from handler.aws import credentials_of, dynamodb_client
from handler.settings import load_settings
from otel.exporters.otlp_http import OtlpHttpExporter
from otel.settings.environ import EnvReader
from otel.settings.otlp import OtlpSettings, aws_region, read_exporter
from tests.unit.otel.test_otlp_http import PATIENT, ended

REGION = "eu-central-1"
HOST = f"xray.{REGION}.amazonaws.com"
OWN = Credentials("AKIDEXAMPLE", "the-secret", "the-token")


def signed_again(path: str, headers: Mapping[str, str], body: bytes, credentials: Credentials) -> str:
    """Return the Authorization header that botocore makes of a request, with its own time and signed headers."""
    names = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    again = AWSRequest("POST", f"https://{HOST}{path}", {name: headers[name] for name in names}, body)
    again.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(credentials, "xray", REGION)
    signature = auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again)
    scope = f"{credentials.access_key}/{headers['x-amz-date'][:8]}/{REGION}/xray/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={';'.join(names)}, Signature={signature}"


class Endpoint:
    """AWS's endpoint: it accepts what is signed with its credentials."""

    def __init__(self, folder: Path) -> None:
        self.credentials = OWN
        self.requests: list[dict[str, str]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers["content-length"]))
                expected = signed_again(self.path, headers, body, endpoint.credentials)
                endpoint.requests.append(headers)
                self.send_response(200 if headers["authorization"] == expected else 403)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
                """Print nothing."""

        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST).configure_cert(context)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.settings = OtlpSettings(
            f"https://{HOST}:{self.server.server_port}/v1/traces",
            authorities=str(folder / "ca.pem"),
            headers="x-tenant=earnings",
            aws_region=REGION,
        )


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *rest, **more: resolve("127.0.0.1", *rest, **more))
    made = Endpoint(tmp_path)
    thread = threading.Thread(target=made.server.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@contextmanager
def exporter(server: Endpoint, credentials: Any, **changes: Any) -> Iterator[OtlpHttpExporter]:
    settings = server.settings._replace(**changes)
    with closing(OtlpHttpExporter(settings, lambda: credentials)) as made:
        yield made


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_botocore_accepts_the_signature(endpoint: Endpoint, compression: str) -> None:
    with exporter(endpoint, OWN, compression=compression) as made:
        assert [made.export(ended(count), PATIENT) for count in (1, 3)] == [0, 0]

    for headers in endpoint.requests:
        assert headers["x-amz-security-token"] == "the-token"
        assert headers["x-tenant"] == "earnings"


def test_a_host_with_the_dot_of_the_root(endpoint: Endpoint) -> None:
    with exporter(endpoint, OWN, endpoint=endpoint.settings.endpoint.replace(HOST, f"{HOST}.")) as made:
        assert made.export(ended(1), PATIENT) == 0


def test_another_key_is_refused(endpoint: Endpoint) -> None:
    with exporter(endpoint, Credentials("AKIDEXAMPLE", "another secret", "the-token")) as made:
        assert made.export(ended(2), PATIENT) == 2


def test_credentials_are_refreshed(endpoint: Endpoint) -> None:
    names = iter(["first", "second"])

    def fetch() -> dict[str, str]:
        name = next(names)
        endpoint.credentials = Credentials(name, f"secret of {name}", f"token of {name}")
        expired = datetime.now(UTC) + timedelta(seconds=1)  # as good as expired: botocore refreshes ten minutes before
        values = {"access_key": name, "secret_key": f"secret of {name}", "token": f"token of {name}"}
        return values | {"expiry_time": expired.isoformat()}

    refreshed = RefreshableCredentials.create_from_metadata(fetch(), fetch, "test")
    with exporter(endpoint, refreshed) as made:
        assert made.export(ended(1), PATIENT) == 0
    assert endpoint.requests[0]["x-amz-security-token"] == "token of second"


def test_without_credentials_the_export_fails(endpoint: Endpoint) -> None:
    with exporter(endpoint, None) as made, pytest.raises(NoCredentialsError):
        made.export(ended(1), PATIENT)
    assert endpoint.requests == []


def test_the_credentials_are_those_of_the_functions_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "AKIDOWN", "AWS_SECRET_ACCESS_KEY": "own"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    client = dynamodb_client(load_settings({**variables, "DEAD_LETTER_QUEUE_URL": "https://sqs.test/1/q"}))
    assert credentials_of(client).get_frozen_credentials()[:2] == ("AKIDOWN", "own")


def test_the_region_is_in_the_host_of_every_partition() -> None:
    data = Path(botocore.__file__).parent / "data" / "partitions.json"
    for partition in json.loads(data.read_text())["partitions"]:
        outputs = partition["outputs"]
        for region in partition["regions"]:
            if not region.endswith("-global"):
                assert aws_region(f"xray.{region}.{outputs['dnsSuffix']}") == region
                assert aws_region(f"xray.{region}.{outputs['dualStackDnsSuffix']}") == region


@pytest.mark.parametrize(
    ("host", "region"),
    [
        (f"{HOST}.", REGION),
        ("xray-fips.us-east-1.amazonaws.com", "us-east-1"),
        ("vpce-0123-abc.xray.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
        ("collector", ""),
        ("logs.eu-west-1.amazonaws.com", ""),
        ("xray.amazonaws.com", ""),
        ("xray.eu-west-1.amazonaws.com.example.test", ""),
        ("xray.eu-west-1.notamazonaws.com", ""),
        ("xray.internal.example.test", ""),
    ],
)
def test_the_region_of_a_host(host: str, region: str) -> None:
    assert aws_region(host) == region


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_an_endpoint_of_aws_without_tls_is_refused(name: str) -> None:
    read = EnvReader({name: f"http://{HOST}/v1/traces"})
    read_exporter(read)
    assert read.problems == [f"{name} must be an https URL: this endpoint of AWS takes signed requests only"]

    read = EnvReader({name: f"https://{HOST}/v1/traces"})
    assert (read_exporter(read).aws_region, read.problems) == (REGION, [])
