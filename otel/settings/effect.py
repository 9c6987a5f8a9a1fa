"""Which `OTEL_*` variables have an effect, by export mode: the others are named in one line at start."""

from collections.abc import Mapping

from otel.settings import APPLICATION_SIGNALS, FAST_START, LAYER_SWITCH, LIMITS, TelemetrySettings

_EVERYWHERE = (
    *("OTEL_PROPAGATORS", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME"),
    *("OTEL_TRACES_EXPORTER", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"),
)
_EXPORTER = (
    *("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY", "COMPRESSION", "ENDPOINT", "HEADERS", "PROTOCOL", "TIMEOUT"),
)

DIRECT = frozenset({*_EVERYWHERE, *LIMITS, APPLICATION_SIGNALS})
COLLECTOR = DIRECT.union(f"OTEL_EXPORTER_OTLP_{kind}{name}" for kind in ("", "TRACES_") for name in _EXPORTER)
LAYER = frozenset(
    {
        *(*_EVERYWHERE, FAST_START),
        *(APPLICATION_SIGNALS, "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"),
    }
)
"""Of ADOT's fast start. Its default set-up has all variables of OpenTelemetry and of ADOT."""

SET_BY_LAYER = frozenset(
    {"OTEL_AWS_APPLICATION_SIGNALS_RUNTIME_ENABLED", "OTEL_PYTHON_CONFIGURATOR", "OTEL_PYTHON_DISTRO"}
)
"""What the layer's script sets for ADOT's default set-up, also before its fast start."""

_OTHER_EXPORTERS = ("OTEL_LOGS_EXPORTER", "OTEL_METRICS_EXPORTER")

_METRICS = "metrics are EMF lines on standard output, because no call leaves the invocation for them"
_LOGS = "log lines are JSON on standard output, which Lambda sends to CloudWatch Logs"
_BATCHES = "spans are exported before each invocation returns, because the sandbox freezes after it"
_REASONS: Mapping[str, str] = {
    **dict.fromkeys(("OTEL_METRICS_", "OTEL_METRIC_", "OTEL_EXPORTER_OTLP_METRICS_"), _METRICS),
    **dict.fromkeys(("OTEL_LOGS_", "OTEL_LOGRECORD_", "OTEL_BLRP_", "OTEL_EXPORTER_OTLP_LOGS_"), _LOGS),
    "OTEL_BSP_": _BATCHES,
}
"""Why, by the beginning of the name."""


def settings_without_effect(settings: TelemetrySettings, environ: Mapping[str, str]) -> list[str]:
    """Return a text for each `OTEL_*` variable that is set and has no effect: its name and the reason, no value.

    Nothing is said of an exporter of metrics or logs that is `none`, and where spans are switched off.

    Args:
        settings: Those of the environment.
        environ: The environment.
    """
    if not settings.tracing:
        return []
    if settings.collector:
        mode, effective = "collector", COLLECTOR
    elif settings.adot_fast_start:
        mode, effective = "layer", LAYER | SET_BY_LAYER
    elif environ.get(LAYER_SWITCH, "").strip():
        return []
    else:
        mode, effective = "direct", DIRECT
    given = (name for name, value in environ.items() if name.startswith("OTEL_") and value.strip())
    names = sorted(name for name in given if name not in effective)
    return [
        f"{name} has no effect: {_reason(name, mode)}"
        for name in names
        if not (name in _OTHER_EXPORTERS and environ[name].strip().lower() == "none")
    ]


def _reason(name: str, mode: str) -> str:
    for beginning, reason in _REASONS.items():
        if name.startswith(beginning):
            return reason
    return f"nothing reads it in {mode} mode"
