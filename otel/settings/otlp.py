"""The rules of the variables that the OTLP exporter reads. Imported only in `collector` mode."""

import string
from urllib.parse import unquote

from otel.settings.certificates import is_ca_file_or_directory, is_client_certificate
from otel.settings.environ import EnvReader, is_printable_ascii, is_proxy, one_of

_TOKEN = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"


def check_exporter(read: EnvReader) -> None:
    """Check the exporter's variables; the problems are in `read.problems` afterwards.

    `OTEL_EXPORTER_OTLP_TIMEOUT` is not among them: the remaining time of the invocation limits an export.
    """
    read.parsed(_name(read, "COMPRESSION"), "", one_of("none", "gzip", "deflate"), "none, gzip or deflate")
    read.check(
        _name(read, "HEADERS"), _are_headers, "NAME=VALUE pairs, separated by commas, the values percent-encoded"
    )
    certificates = "a readable file of PEM certificates, or a directory of them"
    ca_name = _name(read, "CERTIFICATE")
    if not read.raw(ca_name):  # requests reads these then
        ca_name = "REQUESTS_CA_BUNDLE" if read.raw("REQUESTS_CA_BUNDLE") else "CURL_CA_BUNDLE"
    read.check(ca_name, is_ca_file_or_directory, certificates)
    _check_client_certificate(read)
    for name in ("ALL_PROXY", "all_proxy"):
        read.check(name, is_proxy, "the URL of an HTTP proxy such as http://proxy:3128")
    read.check("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", lambda text: text in {"python", "upb"}, "python or upb")


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
