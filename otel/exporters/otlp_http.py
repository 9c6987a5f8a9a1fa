"""The exporter of `collector` mode: OTLP over HTTP, with one deadline for the whole export.

Neither `requests` nor a protobuf runtime is imported: they cost more than the rest of a start.
"""

import logging
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any
from urllib.parse import unquote_to_bytes

from botocore.httpsession import DEFAULT_CA_BUNDLE
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.version import __version__
from urllib3.exceptions import HTTPError

from otel.exporters.bounded import Bounded
from otel.exporters.bounded_http import Attempt, BoundedHttp
from otel.exporters.otlp_encoder import encode_request, encode_span
from otel.exporters.xray_udp import is_sampled
from otel.settings.otlp import OtlpSettings
from otel.tracing.span_processor import MOST_SECONDS

_GZIP = 16 + zlib.MAX_WBITS
"""zlib's number for gzip's format."""

_logger = logging.getLogger(__name__)


class OtlpHttpExporter:
    """Sends sampled spans to an OTLP endpoint; a collector does not expect others.

    Args:
        settings: Endpoint, headers, certificates, compression and time limit.
        credentials: Returns the credentials that requests to AWS's own endpoints are signed with, as botocore has them.
    """

    def __init__(self, settings: OtlpSettings, credentials: Callable[[], Any] = lambda: None) -> None:
        scheme, user, rest = _split_user(settings.endpoint)
        self._url = f"{scheme}://{rest}"
        self._settings = settings
        self._credentials = credentials
        self._headers = _headers(settings, user)
        authorities = settings.authorities or DEFAULT_CA_BUNDLE
        self._http = BoundedHttp(self._url, authorities, settings.client_certificate, settings.client_key)
        self._worker = Bounded("collector")
        self._attempt = Attempt(0.0)

    def export(self, spans: Sequence[ReadableSpan], seconds: float = MOST_SECONDS, all_sampled: bool = False) -> int:
        """Send spans; return how many were lost. A log line says why.

        Args:
            spans: Spans that have ended.
            seconds: Limit on the whole export, whatever the collector does.
            all_sampled: Whether to send unsampled spans, too.

        Raises:
            botocore.exceptions.BotoCoreError: There are no credentials to sign with.
        """
        sampled = [span for span in spans if all_sampled or is_sampled(span)]
        if not sampled:
            return 0
        seconds = min(seconds, self._settings.timeout)
        attempt = self._attempt = Attempt(monotonic() + seconds)
        if seconds <= 0:
            return len(sampled)

        def send() -> tuple[int, bytes]:
            body = self._compress(encode_request(sampled, map(encode_span, sampled)))
            return self._http.post(body, self._signed(body), attempt)

        try:
            status, response = self._worker.run(send, seconds, attempt.abort)
        except (HTTPError, OSError) as error:
            in_time = attempt.seconds_left() > 0 and not isinstance(error, TimeoutError)
            _logger.warning(_NO_RESPONSE if in_time else _TOO_LATE, exc_info=error)
            return len(sampled)
        if 200 <= status < 300:
            return _rejected(response, len(sampled))
        _logger.warning("the OTLP endpoint responded with HTTP status %d", status)
        return len(sampled)

    def close(self) -> None:
        """Close the connection, also during an export."""
        self._attempt.abort()
        self._http.close()
        self._worker.close()

    def _compress(self, body: bytes) -> bytes:
        if self._settings.compression == "none":
            return body
        compressor = zlib.compressobj(wbits=_GZIP if self._settings.compression == "gzip" else zlib.MAX_WBITS)
        return compressor.compress(body) + compressor.flush()

    def _signed(self, body: bytes) -> Mapping[str, str]:
        if not self._settings.aws_region:
            return self._headers
        from otel.exporters.signing import sign

        return sign(self._url, body, self._headers, self._credentials(), self._settings.aws_region)


_NO_RESPONSE = "the OTLP endpoint did not respond"
_TOO_LATE = "the OTLP endpoint did not respond in time"


_EMPTY_RESPONSES = (b"", b"\n\0")
"""Without a partial success: no field, or an empty one, as the collector sends it."""


def _rejected(response: bytes, count: int) -> int:
    """Return how many of the spans the endpoint has rejected in spite of its status, at most all."""
    if response in _EMPTY_RESPONSES:
        return 0
    from otel.exporters.partial_success import rejected_spans

    rejected = min(rejected_spans(response), count)
    if rejected:
        _logger.warning("the OTLP endpoint rejected %d spans of a request that it accepted", rejected)
    return rejected


def _split_user(url: str) -> tuple[str, str, str]:
    """Return a URL's scheme, its user info as it is encoded, and the rest."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    user, _, host = authority.rpartition("@")
    return scheme, user, host + slash + path


def _headers(settings: OtlpSettings, user: str) -> dict[str, str]:
    headers = {"content-type": "application/x-protobuf", "user-agent": f"OTel-OTLP-Exporter-Python/{__version__}"}
    if settings.compression != "none":
        headers["content-encoding"] = settings.compression
    if user:  # its bytes as they are percent-encoded: urllib3 encodes in Latin-1, and fails on other characters
        headers["authorization"] = f"Basic {b64encode(unquote_to_bytes(user)).decode()}"
    if settings.headers:
        from opentelemetry.util.re import parse_env_headers

        headers.update(parse_env_headers(settings.headers, liberal=True))  # those of the user come last, and win
    return headers
