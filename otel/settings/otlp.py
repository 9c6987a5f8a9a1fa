"""The settings of the OTLP exporter, and the rules of their variables. Imported only in `collector` mode.

https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

import string
from typing import NamedTuple
from urllib.parse import unquote

from otel.settings.certificates import is_ca_file_or_directory, is_client_certificate
from otel.settings.environ import (
    AWS_SUFFIXES,
    PROXY_RULE,
    EnvReader,
    is_printable_ascii,
    is_proxy,
    one_of,
    split_url,
    whole_number,
)

_TOKEN = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"


TRACES_PATH = "v1/traces"
"""What is appended to the endpoint of all signals."""

_LEAST_TIMEOUT, _MOST_TIMEOUT = 100, 900_000
"""Milliseconds. Python's own exporter reads seconds: a number such as 10 would lose every span, and is refused."""


class OtlpSettings(NamedTuple):
    """How spans are sent to an OTLP endpoint.

    Attributes:
        endpoint: URL, with the path; may have a user and a password.
        headers: `OTEL_EXPORTER_OTLP_HEADERS` as it came.
        compression: `none`, `gzip` or `deflate`.
        timeout: Limit on an export, seconds; the function has a limit of its own besides.
        authorities: File or directory of the certificates of authorities; empty for those of the function.
        client_certificate: File of the function's own certificate; empty for none.
        client_key: File of its key; empty if it is in the same file.
        aws_region: Region of AWS's own endpoint, to which requests are signed; empty for another one.
    """

    endpoint: str
    headers: str = ""
    compression: str = "none"
    timeout: float = 10.0
    authorities: str = ""
    client_certificate: str = ""
    client_key: str = ""
    aws_region: str = ""


def read_exporter(read: EnvReader) -> OtlpSettings:
    """Read the exporter's variables; the problems are in `read.problems` afterwards."""
    compression = read.parsed(
        _name(read, "COMPRESSION"), "none", one_of("none", "gzip", "deflate"), "none, gzip or deflate"
    )
    read.check(
        _name(read, "HEADERS"), _are_headers, "NAME=VALUE pairs, separated by commas, the values percent-encoded"
    )
    timeout = read.parsed(
        _name(read, "TIMEOUT"),
        10_000,
        whole_number(_LEAST_TIMEOUT, _MOST_TIMEOUT),
        f"a whole number of milliseconds from {_LEAST_TIMEOUT} to {_MOST_TIMEOUT}",
    )
    certificates = "a readable file of PEM certificates, or a directory of them"
    ca_name = _name(read, "CERTIFICATE")
    if not read.raw(ca_name):
        ca_name = "REQUESTS_CA_BUNDLE" if read.raw("REQUESTS_CA_BUNDLE") else "CURL_CA_BUNDLE"
    read.check(ca_name, is_ca_file_or_directory, certificates)
    _check_client_certificate(read)
    for name in ("ALL_PROXY", "all_proxy"):
        read.check(name, is_proxy, PROXY_RULE)
    endpoint = _endpoint(read)
    return OtlpSettings(
        endpoint=endpoint,
        headers=read.raw(_name(read, "HEADERS")),
        compression=compression,
        timeout=timeout / 1000,
        authorities=read.raw(ca_name),
        client_certificate=read.raw(_name(read, "CLIENT_CERTIFICATE")),
        client_key=read.raw(_name(read, "CLIENT_KEY")),
        aws_region=_aws_region(read, endpoint),
    )


def _endpoint(read: EnvReader) -> str:
    """Return the URL: the endpoint for traces as it is, the one of all signals with the path of traces."""
    for_traces = read.raw("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").strip()
    return for_traces or f"{read.raw('OTEL_EXPORTER_OTLP_ENDPOINT').strip().removesuffix('/')}/{TRACES_PATH}"


def _aws_region(read: EnvReader, endpoint: str) -> str:
    try:
        _, host, _ = split_url(endpoint, also_in_host="_")
    except ValueError:
        return ""  # a problem already
    region = aws_region(host)
    if region and not endpoint.startswith("https://"):
        read.refuse(_name(read, "ENDPOINT"), "an https URL: this endpoint of AWS takes signed requests only")
    return region


def aws_region(host: str) -> str:
    """Return the region of AWS's own OTLP endpoint for traces, from its host name; empty for any other host.

    Args:
        host: In lower case. `xray.REGION.amazonaws.com`, the same of FIPS, dual-stack and VPC endpoints, and of the
            other partitions.
    """
    labels = host.removesuffix(".")
    for suffix in AWS_SUFFIXES:
        if labels.endswith(suffix):
            names = labels.removesuffix(suffix).removesuffix(".vpce").split(".")
            return names[-1] if len(names) > 1 and names[-2] in {"xray", "xray-fips"} else ""
    return ""


def _name(read: EnvReader, name: str) -> str:
    """Return the variable that takes effect: the one for traces, else the general one."""
    for_traces = f"OTEL_EXPORTER_OTLP_TRACES_{name}"
    return for_traces if read.raw(for_traces) else f"OTEL_EXPORTER_OTLP_{name}"


def _check_client_certificate(read: EnvReader) -> None:
    certificate, key = _name(read, "CLIENT_CERTIFICATE"), _name(read, "CLIENT_KEY")
    if read.raw(certificate):
        read.check(
            certificate,
            lambda path: is_client_certificate(path, read.raw(key) or None),
            f"a readable PEM certificate, with its key in the same file or in {key}, without a passphrase",
        )
    elif read.raw(key):
        read.refuse(key, f"given together with {certificate}: without it, the key is not used")


def _are_headers(text: str) -> bool:
    """Whether every pair is a valid header: OpenTelemetry ignores the others, with a warning."""
    for item in filter(None, map(str.strip, text.split(","))):
        name, equals, value = item.partition("=")
        name = unquote(name.strip(), errors="strict")
        if not equals or not name or name.strip(_TOKEN):
            return False
        if not is_printable_ascii(value + unquote(value, errors="strict")) or not set('";\\').isdisjoint(value):
            return False
    return True
