"""What telemetry needs to know of its surroundings; read from the environment by `handler.settings`, in one place."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """The telemetry half of the settings.

    Attributes:
        service: `service.name` of spans, `service` of log lines.
        environment: `Environment` dimension of metrics, `environment` of log lines.
        function_name: the Lambda function's name.
        function_version: the Lambda function's version.
        log_stream: CloudWatch log stream, which names this sandbox.
        region: AWS region; may be empty.
        memory_mb: the function's memory allocation, megabytes.
        log_level: least level that is written, as Python's logging counts.
        tracing: whether spans are made at all.
        collector: whether spans go to an OTLP endpoint (`OTEL_EXPORTER_OTLP_*`) instead of the X-Ray daemon.
        daemon: host and UDP port of the X-Ray daemon.
    """

    service: str
    environment: str
    function_name: str
    function_version: str
    log_stream: str
    region: str
    memory_mb: int
    log_level: int
    tracing: bool
    collector: bool
    daemon: tuple[str, int]
