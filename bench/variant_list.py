"""The measured variants: the plain function, alternatives, and the real function in its export modes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.environments import FUNCTION, LAYER, interpreter, site_packages
from bench.target import LAYER_WRAPPER, NO_HANDLER, TELEMETRY_LINES, Certificates, Target

_LAYER = {
    "ORIG_HANDLER": "bench.v0.lambda_handler",
    "OTEL_PROPAGATORS": "baggage,xray,tracecontext",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_AWS_APPLICATION_SIGNALS_ENABLED": "true",
    "OTEL_AWS_APPLICATION_SIGNALS_RUNTIME_ENABLED": "false",
    "OTEL_PYTHON_DISTRO": "aws_distro",
    "OTEL_PYTHON_CONFIGURATOR": "aws_configurator",
    "OTEL_RESOURCE_ATTRIBUTES": "cloud.region=us-east-1,cloud.platform=aws_lambda,cloud.provider=aws,"
    "faas.name=mark-earnings-processed,faas.version=1,faas.instance=2026/02/03/[1]5f2b0c,"
    "aws.log.group.names=/aws/lambda/mark-earnings-processed",
    # The layer's list. It does not contain botocore, urllib and urllib3.
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "aio-pika,aiohttp-client,aiohttp-server,aiopg,asgi,asyncio,asyncpg,boto,"
    "boto3,cassandra,celery,confluent_kafka,dbapi,django,elasticsearch,falcon,fastapi,flask,grpc_client,grpc_server,"
    "grpc_aio_client,grpc_aio_server,httpx,jinja2,kafka,logging,mysql,mysqlclient,pika,psycopg,psycopg2,pymemcache,"
    "pymongo,pymysql,pyramid,redis,remoulade,requests,sklearn,sqlalchemy,sqlite3,starlette,system_metrics,threading,"
    "tornado,tortoiseorm,wsgi,openai_agents,aws_openai_agents,aws_crewai,aws_langchain,aws_mcp,aws_llama-index,"
    "aws-lambda",
}
"""Variables of its `otel-instrument` (aws-observability/aws-otel-python-instrumentation, `lambda-layer/src`)."""

_FAST = {"OTEL_AWS_LAMBDA_FAST_START": "true"}

_DATADOG = {
    "DD_LAMBDA_HANDLER": "bench.v0.lambda_handler",
    "DD_TRACE_ENABLED": "true",
    "DD_FLUSH_TO_LOG": "true",
    # A span for each import of more than 3 ms: under valgrind, that is nearly every import.
    "DD_COLD_START_TRACING": "false",
}
"""Variables of Datadog's guide for container images without the extension, except for the last."""

_COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:{http}"}


@dataclass(frozen=True)
class Variant:
    """One line of the table.

    Attributes:
        name: On the command line.
        label: In the table.
        module: The handler's module.
        environment: A key of `bench.environments.GROUPS`.
        environ: Variables in addition to Lambda's.
        instrumented: Whether `opentelemetry-instrument` starts Python.
        wrapper, sends, telemetry_line: As in `bench.target.Target`.
        tls: Whether requests use TLS; the baseline then does, too.
    """

    name: str
    label: str
    module: str
    environment: str = "plain"
    environ: Mapping[str, str] = field(default_factory=dict)
    instrumented: bool = False
    wrapper: str = ""
    sends: str = ""
    telemetry_line: str = ""
    tls: bool = False

    def target(self, certificates: Certificates | None) -> Target:
        """Return the target of the measurement.

        Args:
            certificates: Needed if `tls` is set, else ignored.
        """
        first = site_packages(self.environment) / "opentelemetry/instrumentation/auto_instrumentation"
        return Target(
            self.module,
            python=str(interpreter(self.environment)),
            environ=self.environ,
            path=(str(first),) if self.instrumented else (),
            launched=self.instrumented,
            wrapper=self.wrapper,
            sends=self.sends,
            telemetry_line=self.telemetry_line,
            certificates=certificates if self.tls else None,
        )


PLAIN = Variant("v0", "V0: boto3, a log line, no telemetry", "bench.v0")
PLAIN_TLS = Variant("v0-tls", "V0, with TLS", "bench.v0", tls=True)

VARIANTS: tuple[Variant, ...] = (
    PLAIN,
    Variant("xray", "X-Ray SDK", "bench.variants.xray", environment="xray", sends="datagrams"),
    Variant(
        "powertools",
        "Powertools: Logger, Metrics, Tracer",
        "bench.variants.powertools",
        environment="powertools",
        sends="datagrams",
    ),
    Variant(
        "powertools-idempotent",
        "the same with Idempotency",
        "bench.variants.powertools_idempotent",
        environment="powertools",
        sends="datagrams",
    ),
    Variant(
        "adot",
        "V0 in the ADOT layer, default",
        "bench.variants.adot",
        environment="adot",
        environ=_LAYER,
        instrumented=True,
        sends="datagrams",
    ),
    Variant(
        "adot-fast",
        "V0 in the ADOT layer, fast start",
        "bench.variants.adot",
        environment="adot",
        environ={**_LAYER, **_FAST},
        sends="datagrams",
    ),
    Variant(
        "otel-http",
        "OpenTelemetry by hand, OTLP over HTTP",
        "bench.variants.otel_http",
        environment="otel",
        environ=_COLLECTOR,
        sends="otlp_requests",
    ),
    Variant(
        "otel-udp",
        "OpenTelemetry by hand, ADOT's UDP",
        "bench.variants.otel_udp",
        environment="adot",
        sends="datagrams",
    ),
    Variant(
        "otel-lite",
        "lambda-otel-lite",
        "bench.variants.otel_lite",
        environment="otel-lite",
        sends=TELEMETRY_LINES,
        telemetry_line='{"__otel_otlp_stdout": ',
    ),
    Variant(
        "datadog",
        "Datadog without its extension",
        "bench.variants.datadog",
        environment="datadog",
        environ=_DATADOG,
        sends=TELEMETRY_LINES,
        telemetry_line='{"traces": [[',
    ),
    Variant("direct", "ours, direct", "handler.app", environment=FUNCTION, sends="datagrams"),
    Variant(
        "collector",
        "ours, collector",
        "handler.app",
        environment=FUNCTION,
        environ=_COLLECTOR,
        sends="otlp_requests",
    ),
    Variant(
        "layer",
        "ours, layer",
        "handler.app",
        environment=LAYER,
        environ={"AWS_LAMBDA_EXEC_WRAPPER": LAYER_WRAPPER},
        wrapper=LAYER_WRAPPER,
        sends="datagrams",
    ),
    Variant(
        "layer-full",
        "ours, layer, ADOT's whole set-up",
        "handler.app",
        environment=LAYER,
        environ={"AWS_LAMBDA_EXEC_WRAPPER": LAYER_WRAPPER, "OTEL_AWS_LAMBDA_FAST_START": "false"},
        wrapper=LAYER_WRAPPER,
        sends="datagrams",
    ),
    Variant("slim", "V0 with our botocore, no telemetry", "bench.variants.slim", environment=FUNCTION),
    Variant("floor", "floor: a request signed by hand", "bench.variants.raw_http"),
    PLAIN_TLS,
    Variant("direct-tls", "ours, direct, with TLS", "handler.app", environment=FUNCTION, sends="datagrams", tls=True),
    Variant("floor-tls", "floor, with TLS", "bench.variants.raw_http", tls=True),
)

IDLE = Variant("interpreter", "the interpreter", NO_HANDLER)


def baseline_of(variant: Variant) -> Variant:
    """Return the baseline of a variant, which uses TLS if the variant does."""
    return PLAIN_TLS if variant.tls else PLAIN


def chosen(names: tuple[str, ...]) -> list[Variant]:
    """Return the variants with these names and their baselines, in the table's order; all if there are no names.

    Raises:
        ValueError: Names the unknown variants.
    """
    unknown = sorted(set(names) - {variant.name for variant in VARIANTS})
    if unknown:
        raise ValueError(f"no such variant: {', '.join(unknown)}; there are {', '.join(v.name for v in VARIANTS)}")
    selected = [variant for variant in VARIANTS if not names or variant.name in names]
    needed = {baseline_of(variant).name for variant in selected} | {variant.name for variant in selected}
    return [variant for variant in VARIANTS if variant.name in needed]
