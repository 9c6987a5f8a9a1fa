"""A real collector with `otel/collector.yaml`, between the real function and stand-ins for X-Ray and CloudWatch."""
