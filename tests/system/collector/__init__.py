"""A real collector with `deploy/compose/collector.yaml`, between the real function and fakes of X-Ray and CloudWatch."""
