"""Every environment variable that the function and its libraries read, with a value that is wrong for it.

Either a start refuses it, in a line that begins with its name, or it has no effect: events are processed as without it.
`test_variables` holds the lists against those of the libraries.
"""

import os
from collections.abc import Mapping

from botocore import configprovider
from opentelemetry import environment_variables as otel_api
from opentelemetry.sdk import environment_variables as otel_sdk

WRONG = "xyzzy"
NOT_UTF8 = os.fsdecode(b"xyzzy\xff\xfe")
COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
RATIO = {"OTEL_TRACES_SAMPLER": "traceidratio"}
NO_FILE = "/xyzzy/xyzzy"

type Given = str | Mapping[str, str]
"""A value; or several variables, where the one needs others to be read at all."""

OURS: Mapping[str, Given] = {
    "AWS_CONNECT_TIMEOUT_SECONDS": WRONG,
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": WRONG,
    "AWS_LAMBDA_FUNCTION_NAME": NOT_UTF8,
    "AWS_LAMBDA_FUNCTION_VERSION": NOT_UTF8,
    "AWS_LAMBDA_LOG_GROUP_NAME": NOT_UTF8,
    "AWS_LAMBDA_LOG_LEVEL": WRONG,
    "AWS_LAMBDA_LOG_STREAM_NAME": NOT_UTF8,
    "AWS_READ_TIMEOUT_SECONDS": WRONG,
    "AWS_REGION": f"{WRONG}.",
    "AWS_XRAY_DAEMON_ADDRESS": WRONG,
    "DEAD_LETTER_QUEUE_URL": f"https://sqs.us-east-1.amazonaws.com/111122223333/{WRONG}.fifo",
    "EARNINGS_AUDIT_TABLE": f"{WRONG}/",
    "EARNINGS_CALENDAR_TABLE": f"{WRONG}/",
    "ENVIRONMENT": f"{WRONG}\u2603",
    "EVENT_SOURCE": WRONG * 100,
    "HANDLER_COLD_START": WRONG,
    "SERVICE_VERSION": NOT_UTF8,
}

BOTO3: Mapping[str, Given] = {
    "AWS_ACCESS_KEY_ID": f"{WRONG}\n",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": WRONG,
    "AWS_CA_BUNDLE": NO_FILE,
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": WRONG,
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": WRONG,
    "AWS_CREDENTIAL_EXPIRATION": WRONG,
    "AWS_DEFAULTS_MODE": WRONG,
    "AWS_DEFAULT_PROFILE": WRONG,
    "AWS_DEFAULT_REGION": {"AWS_REGION": "", "AWS_DEFAULT_REGION": f"{WRONG}."},
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": WRONG,
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": WRONG,
    "AWS_ENDPOINT_URL": WRONG,
    "AWS_ENDPOINT_URL_DYNAMODB": WRONG,
    "AWS_ENDPOINT_URL_SQS": WRONG,
    "AWS_ENDPOINT_URL_SSO": WRONG,
    "AWS_ENDPOINT_URL_SSO_OIDC": WRONG,
    "AWS_ENDPOINT_URL_STS": WRONG,
    "AWS_EXECUTION_ENV": NOT_UTF8,
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": WRONG,
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS": WRONG,
    "AWS_METADATA_SERVICE_TIMEOUT": WRONG,
    "AWS_PROFILE": WRONG,
    "AWS_REQUEST_CHECKSUM_CALCULATION": WRONG,
    "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES": WRONG,
    "AWS_RESPONSE_CHECKSUM_VALIDATION": WRONG,
    "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH": WRONG,
    "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": WRONG,
    "AWS_SECRET_ACCESS_KEY": NOT_UTF8,
    "AWS_SECURITY_TOKEN": f"{WRONG}\n",
    "AWS_SESSION_TOKEN": f"{WRONG}\n",
    "AWS_STS_REGIONAL_ENDPOINTS": WRONG,
    "AWS_USE_DUALSTACK_ENDPOINT": "yes",
    "AWS_USE_FIPS_ENDPOINT": "1",
    "HTTPS_PROXY": f"socks5://{WRONG}",
    "HTTP_PROXY": f"{WRONG}:{WRONG}",
    "REQUESTS_CA_BUNDLE": NO_FILE,
    "SSLKEYLOGFILE": NO_FILE,
    "http_proxy": f"{WRONG}:{WRONG}",
    "https_proxy": f"{WRONG}:{WRONG}",
}

OPENTELEMETRY: Mapping[str, Given] = {
    **dict.fromkeys(
        (
            *("OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"),
            "OTEL_AWS_APPLICATION_SIGNALS_ENABLED",
            *("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
            *("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "OTEL_PYTHON_CONTEXT"),
            *("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "OTEL_PYTHON_TRACER_PROVIDER", "OTEL_RESOURCE_ATTRIBUTES"),
            *("OTEL_SDK_DISABLED", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
            *("OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_SPAN_LINK_COUNT_LIMIT", "OTEL_TRACES_EXPORTER"),
            *("OTEL_PROPAGATORS", "OTEL_TRACES_SAMPLER"),
        ),
        WRONG,
    ),
    "OTEL_SERVICE_NAME": NOT_UTF8,
    "OTEL_TRACES_SAMPLER_ARG": RATIO | {"OTEL_TRACES_SAMPLER_ARG": "1.5"},
    **{
        name: COLLECTOR | {name: NO_FILE if "CERTIFICATE" in name or "KEY" in name else WRONG}
        for kind in ("", "TRACES_")
        for name in (f"OTEL_EXPORTER_OTLP_{kind}{what}" for what in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"))
    },
    **{
        name: COLLECTOR | {name: WRONG}
        for kind in ("", "TRACES_")
        for name in (f"OTEL_EXPORTER_OTLP_{kind}{what}" for what in ("COMPRESSION", "HEADERS", "TIMEOUT"))
    },
    "ALL_PROXY": COLLECTOR | {"ALL_PROXY": f"socks5://{WRONG}"},
    "CURL_CA_BUNDLE": COLLECTOR | {"CURL_CA_BUNDLE": NO_FILE},
}

REFUSED: Mapping[str, Given] = {**OURS, **BOTO3, **OPENTELEMETRY}

LAYER: Mapping[str, Given] = {
    **dict.fromkeys(
        (
            *("AWS_XRAY_DAEMON_ADDRESS", "OTEL_PROPAGATORS", "OTEL_PYTHON_CONTEXT", "OTEL_PYTHON_TRACER_PROVIDER"),
            *("OTEL_RESOURCE_ATTRIBUTES", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"),
        ),
        WRONG,
    ),
    "OTEL_SERVICE_NAME": NOT_UTF8,
}
"""What both set-ups of ADOT's layer read."""

LAYER_DEFAULT: Mapping[str, Given] = {
    **LAYER,
    **dict.fromkeys(
        (
            *("OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE"),
            *("OTEL_BSP_SCHEDULE_DELAY", "OTEL_LOGS_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_PYTHON_ID_GENERATOR"),
            *("OTEL_PYTHON_LOGGER_PROVIDER", "OTEL_PYTHON_METER_PROVIDER", "OTEL_TRACES_SAMPLER"),
        ),
        WRONG,
    ),
    "OTEL_TRACES_SAMPLER_ARG": RATIO | {"OTEL_TRACES_SAMPLER_ARG": "1.5"},
}
"""What its default set-up reads."""

_S3 = ("AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS", "AWS_S3_USE_ARN_REGION")
NO_EFFECT = (
    # of the stock exporter, which the function does not use
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER",
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER",
    # of clients, services and sources of credentials that the function has not
    *(*_S3, "AWS_AUTH_SCHEME_PREFERENCE", "AWS_CSM_CLIENT_ID", "AWS_CSM_ENABLED", "AWS_CSM_HOST", "AWS_CSM_PORT"),
    *("AWS_DISABLE_HOST_PREFIX_INJECTION", "AWS_DISABLE_REQUEST_COMPRESSION", "AWS_ENDPOINT_DISCOVERY_ENABLED"),
    *("AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_V1_DISABLED", "AWS_IMDS_USE_IPV6"),
    *("AWS_SDK_UA_APP_ID", "AWS_SIGV4A_SIGNING_REGION_SET", "BOTOCORE_TCP_KEEPALIVE"),
    # set by the function itself, whatever they say: one attempt, its own data
    *("AWS_DATA_PATH", "AWS_MAX_ATTEMPTS", "AWS_NEW_RETRIES_2026", "AWS_RETRY_MODE"),
    # files that need not be there
    *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "NETRC"),
    # lists of hosts
    *("NO_PROXY", "no_proxy"),
    # of the SDK's own set-up, exporters and processors, of which the function uses none
    *("OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE"),
    *("OTEL_BSP_SCHEDULE_DELAY", "OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "OTEL_LOG_LEVEL"),
    *("OTEL_EXPORTER_OTLP_INSECURE", "OTEL_EXPORTER_OTLP_TRACES_INSECURE", "OTEL_EXPORTER_PROMETHEUS_HOST"),
    *("OTEL_EXPORTER_PROMETHEUS_PORT", "OTEL_EXPORTER_ZIPKIN_ENDPOINT", "OTEL_EXPORTER_ZIPKIN_TIMEOUT"),
    *("OTEL_PYTHON_ID_GENERATOR", "OTEL_PYTHON_TRACER_CONFIGURATOR", "OTEL_TRACES_SAMPLER_ARG"),
    # metrics and logs go another way
    *(
        name
        for name in vars(otel_sdk).values()
        if isinstance(name, str) and name.startswith(("OTEL_EXPORTER_OTLP_LOGS_", "OTEL_EXPORTER_OTLP_METRICS_"))
    ),
    *(name for name in vars(otel_sdk).values() if isinstance(name, str) and "_OTLP_GRPC_" in name),
    *(
        "OTEL_PYTHON_EXPORTER_OTLP_HTTP_LOGS_CREDENTIAL_PROVIDER",
        "OTEL_PYTHON_EXPORTER_OTLP_HTTP_METRICS_CREDENTIAL_PROVIDER",
    ),
    *("OTEL_BLRP_EXPORT_TIMEOUT", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "OTEL_BLRP_MAX_QUEUE_SIZE"),
    *("OTEL_BLRP_SCHEDULE_DELAY", "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "OTEL_LOGS_EXPORTER"),
    *("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_METRICS_EXEMPLAR_FILTER", "OTEL_METRICS_EXPORTER"),
    *("OTEL_METRIC_EXPORT_INTERVAL", "OTEL_METRIC_EXPORT_TIMEOUT", "OTEL_PYTHON_LOGGER_CONFIGURATOR"),
    *("OTEL_PYTHON_LOGGER_PROVIDER", "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED"),
    *("OTEL_PYTHON_METER_CONFIGURATOR", "OTEL_PYTHON_METER_PROVIDER"),
)
"""Any value at all: events are processed as without it."""


def variables(name: str, of: Mapping[str, Given] | None = None) -> dict[str, str]:
    """What to set so that a variable is read, and wrong."""
    given = (of or REFUSED)[name]
    return {name: given} if isinstance(given, str) else dict(given)


def of_the_libraries() -> set[str]:
    """Every variable that botocore and OpenTelemetry list."""
    tables = (configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES, configprovider.DEFAULT_S3_CONFIG_VARS)
    named = [entry[1] for table in tables for entry in table.values()]
    botocore = {name for entry in named for name in ([entry] if isinstance(entry, str) else entry or [])}
    constants = {**vars(otel_api), **vars(otel_sdk)}
    return botocore | {value for name, value in constants.items() if isinstance(value, str) and "OTEL_" in name}
