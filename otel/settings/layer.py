"""The rules of the variables that ADOT's layer reads. Imported only in `layer` mode."""

from otel.settings.environ import (
    SAMPLERS,
    EnvReader,
    check_foreign,
    check_resource_attributes,
    check_sampler,
    is_printable_ascii,
    whole_number,
)

ID_GENERATORS = ("random", "xray")
EXPORTERS = ("none", "otlp", "console")
LOADED = {
    "OTEL_PYTHON_CONTEXT": ("contextvars_context",),
    "OTEL_PYTHON_LOGGER_PROVIDER": ("sdk_logger_provider",),
    "OTEL_PYTHON_METER_PROVIDER": ("default_meter_provider", "sdk_meter_provider"),
    "OTEL_PYTHON_TRACER_PROVIDER": ("default_tracer_provider", "sdk_tracer_provider"),
}
"""What OpenTelemetry loads by its name: some at the first event, which would fail."""

BATCH_LIMITS = (
    *("OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE"),
    "OTEL_BSP_SCHEDULE_DELAY",
)

_ATTRIBUTES = ("ENVIRONMENT", "SERVICE_VERSION")
"""Variables that the layer's script adds to `OTEL_RESOURCE_ATTRIBUTES`."""


def check_layer(read: EnvReader, *, fast_start: bool) -> None:
    """Check the layer's variables.

    Args:
        read: Reads the environment.
        fast_start: Whether ADOT's fast start reads them, which has no processors and exporters to configure. There, the
            sampler is the function's (`otel.tracing.sampling`).
    """
    read.check("AWS_XRAY_DAEMON_ADDRESS", _is_address, "host:port (the layer supports no other form)")
    for name in _ATTRIBUTES:
        read.check(name, _is_attribute, "without commas and percent signs: it is in a list of attributes")
    if all(_is_attribute(read.raw(name)) for name in _ATTRIBUTES):  # else they break the list, not the user's own
        check_resource_attributes(read)
    if fast_start:
        check_sampler(read, SAMPLERS)
        check_foreign(read)
        return
    check_sampler(read, (*SAMPLERS, "xray"))
    read.check("OTEL_PYTHON_ID_GENERATOR", lambda text: text in ID_GENERATORS, f"one of {', '.join(ID_GENERATORS)}")
    for name in ("OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"):
        read.check(name, lambda text: text in EXPORTERS, f"one of {', '.join(EXPORTERS)}")
    for name, known in LOADED.items():
        read.check(name, known.__contains__, f"one of {', '.join(known)}")
    for name in BATCH_LIMITS:
        read.check(name, whole_number(1, 2**31 - 1), f"a whole number from 1 to {2**31 - 1}")


def _is_attribute(text: str) -> bool:
    """Whether a text is the same in `OTEL_RESOURCE_ATTRIBUTES`: ADOT's SDK decodes it, its fast start does not."""
    return set(text).isdisjoint(",%")


def _is_address(text: str) -> bool:
    host, _, port = text.partition(":")
    return bool(host) and is_printable_ascii(text) and bool(whole_number(1, 65535)(port))
