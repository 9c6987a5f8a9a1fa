"""The variables that OpenTelemetry reads by itself: for an invalid value it raises, or loses every span."""

import os
import ssl
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.sdk.trace import SpanLimits, sampling
from opentelemetry.util.re import parse_env_headers

from otel.settings import LIMITS, PROPAGATORS, TelemetrySettings
from otel.settings.environ import SAMPLERS, EnvReader, split_url
from otel.settings.layer import BATCH_LIMITS, ID_GENERATORS, LOADED
from otel.settings.otlp import read_exporter

PAIRS = "NAME=VALUE pairs in UTF-8, separated by commas"
HEADERS = "NAME=VALUE pairs, separated by commas, the values percent-encoded"
COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}
CERTIFICATES = "a readable file of PEM certificates, or a directory of them"


def problems(**environ: str) -> list[str]:
    """Return the problems of these variables."""
    read = EnvReader(environ)
    TelemetrySettings.from_environ(read, "a-function")
    return read.problems


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("bad", ["many", "-1", "1.5", "1e3", "", "0x10", "9" * 5000, str(2**31), "1 2"])
def test_limits(name: str, bad: str) -> None:
    expected = [f"{name} must be a whole number from 0 to 2147483647"] if bad else []
    assert problems(**{name: bad}) == expected
    off = {"OTEL_SDK_DISABLED": "true"}  # the SDK is imported nevertheless
    assert problems(**{name: bad}, **off) == expected


@pytest.mark.parametrize("good", ["0", " 12 ", "+5", "1_000", str(2**31 - 1)])
def test_limits_are_read_as_the_sdk_reads_them(good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [problem for name in LIMITS for problem in problems(**{name: good})] == []
    for name in LIMITS:
        monkeypatch.setenv(name, good)
    assert SpanLimits().max_events == int(good)


def test_the_samplers_are_the_sdks() -> None:
    assert set(SAMPLERS) == set(sampling._KNOWN_SAMPLERS)


@pytest.mark.parametrize("bad", ["xray", "always", " always_on", "always_on ", "jaeger_remote"])
def test_samplers_that_the_sdk_would_replace(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems(OTEL_TRACES_SAMPLER=bad) == [f"OTEL_TRACES_SAMPLER must be one of {', '.join(SAMPLERS)}"]
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", bad)
    assert sampling._get_from_env_or_default() is sampling.DEFAULT_ON


@pytest.mark.parametrize("good", [*SAMPLERS, "ALWAYS_OFF"])
def test_samplers(good: str) -> None:
    assert problems(OTEL_TRACES_SAMPLER=good) == []


@pytest.mark.parametrize("sampler", ["traceidratio", "ParentBased_TraceIdRatio"])
@pytest.mark.parametrize(
    ("argument", "good"),
    [
        *((argument, True) for argument in ("0", "1", "0.25", " 1e-3 ", "")),
        *((argument, False) for argument in ("-0.1", "1.1", "nan", "inf", "half", "1/2", "5%", "0,5")),
    ],
)
def test_the_samplers_argument(sampler: str, argument: str, good: bool) -> None:
    found = problems(OTEL_TRACES_SAMPLER=sampler, OTEL_TRACES_SAMPLER_ARG=argument)
    assert found == ([] if good else ["OTEL_TRACES_SAMPLER_ARG must be a probability from 0 to 1"])


LAYER = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-instrument"}
FAST_START = {**LAYER, "OTEL_AWS_LAMBDA_FAST_START": "true"}


def test_with_a_layer_its_variables_are_not_checked() -> None:
    loaded = {"OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider", "OTEL_PYTHON_CONTEXT": "contextvars_context"}
    own = {"OTEL_TRACES_SAMPLER": "xray", **loaded}
    exporter = {**COLLECTOR, "OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"}
    assert len(problems(**own, **exporter)) == 4
    assert problems(**own, **LAYER) == []


@pytest.mark.parametrize("name", ["OTEL_PYTHON_CONTEXT", "OTEL_PYTHON_TRACER_PROVIDER"])
def test_what_the_fast_start_would_load(name: str) -> None:
    """OpenTelemetry's API raises for it, or makes another provider than ADOT's."""
    for value in ("x", "contextvars_context", "sdk_tracer_provider"):
        (problem,) = problems(**{name: value}, **FAST_START)
        assert problem.startswith(f"{name} must be unset: ")


def test_an_environment_that_breaks_the_layers_list_is_the_only_problem() -> None:
    broken = {"ENVIRONMENT": "dev,eu", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=dev,eu"}
    rule = "without commas and percent signs: it is in a list of attributes"
    assert problems(**broken, **LAYER) == [f"ENVIRONMENT must be {rule}"]
    assert problems(ENVIRONMENT="dev,eu") == []
    assert problems(SERVICE_VERSION="a,b", **LAYER) == [f"SERVICE_VERSION must be {rule}"]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "AWS_XRAY_DAEMON_ADDRESS",
            ("169.254.79.129:2000",),
            ("2000", "a:b", "a:0", ":1", "tcp:a:1 udp:a:1", "[::1]:1"),
        ),
        ("OTEL_RESOURCE_ATTRIBUTES", ("a=b", "a=,b=c,"), ("a", "a=b,c")),
        ("ENVIRONMENT", ("dev", "blue=green"), ("dev,eu", "a,b=c", "50%")),
    ],
)
def test_variables_of_both_setups_of_the_layer(name: str, good: tuple[str, ...], bad: tuple[str, ...]) -> None:
    for layer in (LAYER, FAST_START):
        assert [problem for value in good for problem in problems(**{name: value}, **layer)] == []
        assert [each.split()[0] for value in bad for each in problems(**{name: value}, **layer)] == [name] * len(bad)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("OTEL_TRACES_SAMPLER", ("xray", *SAMPLERS), ("aws", "always")),
        ("OTEL_PYTHON_ID_GENERATOR", ("xray", "random"), ("aws", "XRAY", " xray")),
        *((name, ("none", "otlp"), ("x", "NONE")) for name in ("OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER")),
        *((name, ("1", "2048"), ("0", "-1", "many", "1.5")) for name in BATCH_LIMITS),
        *((name, known, ("x", f" {known[0]}")) for name, known in LOADED.items()),
    ],
)
def test_variables_of_its_default_setup(name: str, good: tuple[str, ...], bad: tuple[str, ...]) -> None:
    assert [problem for value in good for problem in problems(**{name: value}, **LAYER)] == []
    assert [each.split()[0] for value in bad for each in problems(**{name: value}, **LAYER)] == [name] * len(bad)
    if name not in {"OTEL_TRACES_SAMPLER", "OTEL_PYTHON_CONTEXT", "OTEL_PYTHON_TRACER_PROVIDER"}:
        assert [problem for value in bad for problem in problems(**{name: value}, **FAST_START)] == []


def test_the_fast_start_has_the_standard_samplers_only() -> None:
    for sampler in SAMPLERS:
        assert problems(OTEL_TRACES_SAMPLER=sampler, **FAST_START) == []
    for sampler in ("xray", "aws"):
        (problem,) = problems(OTEL_TRACES_SAMPLER=sampler, **FAST_START)
        assert problem.startswith("OTEL_TRACES_SAMPLER must be one of always_on, ")


def test_the_layers_names_are_those_of_its_packages() -> None:
    assert {each.name for each in entry_points(group="opentelemetry_id_generator")} == set(ID_GENERATORS)
    for name, known in LOADED.items():
        group = name.removeprefix("OTEL_PYTHON_").lower()
        assert {each.name for each in entry_points(group=f"opentelemetry_{group}")} == set(known)


@pytest.mark.parametrize("more", [{}, LAYER, FAST_START, COLLECTOR, {"OTEL_SDK_DISABLED": "true"}], ids=str)
def test_propagators(more: dict[str, str]) -> None:
    assert [each for name in PROPAGATORS for each in problems(OTEL_PROPAGATORS=name, **more)] == []
    for bad in ("x-ray", "XRAY", "xray;baggage", "b3", "xray,jaeger", "xray,,baggage"):
        (problem,) = problems(OTEL_PROPAGATORS=bad, **more)
        assert problem == (
            "OTEL_PROPAGATORS must be some of baggage, none, tracecontext, xray, xray-lambda, separated by commas "
            "(the function supports no others)"
        )


def test_every_propagator_is_installed() -> None:
    installed = {each.name for each in entry_points(group="opentelemetry_propagator")}
    assert set(PROPAGATORS) <= {"none", *installed}  # else a standard start fails while OpenTelemetry loads them


@pytest.mark.parametrize(
    ("names", "source"),
    [
        *(("", "lambda"), ("xray", "lambda"), ("xray-lambda", "lambda"), (" baggage , xray,tracecontext", "lambda")),
        *(("tracecontext", "traceparent"), ("tracecontext,baggage", "traceparent")),
        *(("baggage", "nothing"), ("none", "nothing"), ("xray,none", "nothing")),
    ],
)
def test_what_the_propagators_decide(names: str, source: str) -> None:
    read = EnvReader({"OTEL_PROPAGATORS": names})
    assert TelemetrySettings.from_environ(read, "a-function").parent_source == source


@pytest.mark.parametrize(
    ("text", "good"),
    [
        *(
            (text, True)
            for text in ("a=b", "a=b,c=d", "a=,b=", "a=b=c", " a = b , ", "a=b,", "a=%C3%BC", "\u00fc=\u2603")
        ),
        *((text, False) for text in ("a", "a=b,c", "=b", " =b", "a:b", os.fsdecode(b"a=\xff"))),
    ],
)
def test_resource_attributes(text: str, good: bool) -> None:
    assert problems(OTEL_RESOURCE_ATTRIBUTES=text) == ([] if good else [f"OTEL_RESOURCE_ATTRIBUTES must be {PAIRS}"])


def test_without_tracing_nothing_is_checked() -> None:
    wrong = {"OTEL_TRACES_SAMPLER": "x", "OTEL_RESOURCE_ATTRIBUTES": "x", "OTEL_EXPORTER_OTLP_COMPRESSION": "x"}
    for off in ({"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}):
        assert problems(**wrong, **off, **COLLECTOR) == []
    assert problems(OTEL_EXPORTER_OTLP_COMPRESSION="zstd", OTEL_EXPORTER_OTLP_HEADERS="x") == []


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
@pytest.mark.parametrize(
    ("url", "good"),
    [
        *(
            (url, True)
            for url in ("http://collector:4318", "https://a.b/v1/traces", "http://my_collector", "http://[::1]:1")
        ),
        *((url, True) for url in ("http://user:pw@a.b", "http://10.0.0.1/x?y=z")),
        *(
            (url, False)
            for url in ("http://", "http://:4318", "http://a:b", "http://a:99999", "http://a b", "grpc://a")
        ),
        *(
            (url, False)
            for url in (
                "http://[::1",
                "http://\u00fc",
                "a:4318",
                "http://a..b",
                "http://-a",
                os.fsdecode(b"http://\xff"),
            )
        ),
    ],
)
def test_endpoints(name: str, url: str, good: bool) -> None:
    assert problems(**{name: url}) == ([] if good else [f"{name} must be a URL such as http://localhost:4318"])


def exporter_problems(**environ: str) -> list[str]:
    """Return the problems of the exporter's variables."""
    read = EnvReader(environ)
    read_exporter(read)
    return read.problems


@pytest.mark.parametrize("kind", ["", "TRACES_"])
def test_compressions_are_the_exporters(kind: str) -> None:
    name = f"OTEL_EXPORTER_OTLP_{kind}COMPRESSION"
    for good in Compression:
        assert exporter_problems(**{name: f" {good.value.upper()} "}) == []
    assert exporter_problems(**{name: "zstd"}) == [f"{name} must be none, gzip or deflate"]


@pytest.mark.parametrize("what", ["COMPRESSION", "HEADERS", "CERTIFICATE"])
def test_the_variable_for_traces_comes_first(what: str, tmp_path: Path) -> None:
    good = {"COMPRESSION": "gzip", "HEADERS": "a=b", "CERTIFICATE": str(tmp_path)}[what]
    general, traces = f"OTEL_EXPORTER_OTLP_{what}", f"OTEL_EXPORTER_OTLP_TRACES_{what}"
    assert exporter_problems(**{general: "x y", traces: good}) == []
    assert [each.split()[0] for each in exporter_problems(**{general: good, traces: "x y"})] == [traces]
    assert [each.split()[0] for each in exporter_problems(**{general: "x y", traces: " "})] == [general]


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("api-key=abc", {"api-key": "abc"}),
        ("a=b,c=d,", {"a": "b", "c": "d"}),
        ("authorization=Bearer%20abc", {"authorization": "Bearer abc"}),
        ("authorization=Bearer abc==", {"authorization": "Bearer abc=="}),
        (" a = b ", {"a": "b"}),
        ("a=", {"a": ""}),
        *((bad, None) for bad in ("abc", "a=b,c", "=b", "a b=c", "a=b;c", 'a="b"', "a=b\\c", "a=\u00fc", "a=b\nc")),
        *((bad, None) for bad in ("a=%0Ab", "a=b%0D%0Ac:d", "%0Aa=b", "a=%C3%BC", "a=%FF", os.fsdecode(b"a=\xff"))),
    ],
)
def test_headers(text: str, headers: dict[str, str] | None) -> None:
    name = "OTEL_EXPORTER_OTLP_HEADERS"
    assert exporter_problems(**{name: text}) == ([f"{name} must be {HEADERS}"] if headers is None else [])
    if headers is not None:
        assert parse_env_headers(text, liberal=True) == headers


@given(st.text(st.characters(min_codepoint=1), max_size=30), st.sampled_from(["HEADERS", "COMPRESSION", "CERTIFICATE"]))
def test_any_text_is_valid_or_one_problem(text: str, what: str) -> None:
    name = f"OTEL_EXPORTER_OTLP_{what}"
    found = exporter_problems(**{name: text})
    assert len(found) <= 1
    assert all(problem.startswith(name) for problem in found)


@given(st.text(st.characters(min_codepoint=1), max_size=30))
def test_headers_that_pass_are_all_sent(text: str) -> None:
    if exporter_problems(OTEL_EXPORTER_OTLP_HEADERS=text) == []:
        sent = parse_env_headers(text, liberal=True)
        names = {item.partition("=")[0].strip().lower() for item in text.split(",") if item.strip()}
        assert len(sent) == len(names)
        assert all(value.isascii() and value.isprintable() for value in sent.values())


@pytest.mark.parametrize("kind", ["", "TRACES_"])
def test_the_collectors_certificates(kind: str, tmp_path: Path) -> None:
    name = f"OTEL_EXPORTER_OTLP_{kind}CERTIFICATE"
    assert exporter_problems(**{name: str(tmp_path)}) == []
    assert exporter_problems(**{name: str(ssl.get_default_verify_paths().cafile or tmp_path)}) == []
    for bad in (str(tmp_path / "missing"), __file__, "\udcff"):
        assert exporter_problems(**{name: bad}) == [f"{name} must be {CERTIFICATES}"]


def test_certificate_variables_of_requests(tmp_path: Path) -> None:
    missing, there = str(tmp_path / "missing"), str(tmp_path)
    assert exporter_problems(REQUESTS_CA_BUNDLE=missing) == [f"REQUESTS_CA_BUNDLE must be {CERTIFICATES}"]
    assert exporter_problems(CURL_CA_BUNDLE=missing) == [f"CURL_CA_BUNDLE must be {CERTIFICATES}"]
    assert exporter_problems(CURL_CA_BUNDLE=missing, REQUESTS_CA_BUNDLE=there) == []
    assert exporter_problems(REQUESTS_CA_BUNDLE=missing, OTEL_EXPORTER_OTLP_CERTIFICATE=there) == []


@pytest.mark.parametrize("kind", ["", "TRACES_"])
def test_the_functions_own_certificate(kind: str, tmp_path: Path) -> None:
    certificate, key = f"OTEL_EXPORTER_OTLP_{kind}CLIENT_CERTIFICATE", f"OTEL_EXPORTER_OTLP_{kind}CLIENT_KEY"
    files = client_certificate(tmp_path)
    rule = f"a readable PEM certificate, with its key in the same file or in {key}, without a passphrase"
    refused = f"{certificate} must be {rule}"
    assert exporter_problems(**{certificate: files["certificate"], key: files["key"]}) == []
    assert exporter_problems(**{certificate: files["both"]}) == []
    generic = "OTEL_EXPORTER_OTLP_CLIENT_KEY"
    for wrong in ({}, {key: files["other key"]}, {key: files["encrypted key"]}, {key: "missing"}):
        name = refused if key in wrong else refused.replace(key, generic)
        assert exporter_problems(**{certificate: files["certificate"]}, **wrong) == [name]
    (alone,) = exporter_problems(**{key: files["key"]})
    assert alone.startswith(f"{key} must be given together with OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE")


def client_certificate(folder: Path) -> dict[str, str]:
    """Write files of a certificate and of keys; return their paths by content."""
    authority = trustme.CA()
    own, other = authority.issue_cert("function.test"), authority.issue_cert("other.test")
    key = own.private_key_pem.bytes()
    encrypted = load_pem_private_key(key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase")
    )
    content = {
        "certificate": own.cert_chain_pems[0].bytes(),
        "key": key,
        "both": own.private_key_and_cert_chain_pem.bytes(),
        "other key": other.private_key_pem.bytes(),
        "encrypted key": encrypted,
    }
    for name, pem in content.items():
        (folder / name).write_bytes(pem)
    return {name: str(folder / name) for name in content}


@pytest.mark.parametrize(
    "url", ["http://a", "https://a.b-c:1/x", "http://A.:80", "http://u@a/", "http://[::ffff:1.2.3.4]/"]
)
def test_urls(url: str) -> None:
    split_url(url)
