"""OpenTelemetry by hand, spans with the ADOT distribution's UDP exporter, metrics as EMF."""

import json
import os
import time

from amazon.opentelemetry.distro.otlp_udp_exporter import OTLPUdpSpanExporter  # type: ignore[import-untyped]

from bench.variants.otel import traced


def _count(outcome: str) -> None:
    metrics = [{"Name": "EventsReceived", "Unit": "Count"}]
    directive = {"Namespace": "MarkEarningsProcessed", "Dimensions": [["Outcome"]], "Metrics": metrics}
    stamp = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    print(json.dumps({"_aws": stamp, "Outcome": outcome, "EventsReceived": 1}))


lambda_handler = traced(OTLPUdpSpanExporter(os.environ["AWS_XRAY_DAEMON_ADDRESS"]), _count)
