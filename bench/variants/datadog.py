"""V0 behind Datadog's handler, which wraps the one in `DD_LAMBDA_HANDLER` and patches botocore.

As in https://docs.datadoghq.com/serverless/guide/datadog_forwarder_python, for a container image without the extension:
spans and metrics are lines of standard output, which Datadog's forwarder reads.
"""

from datadog_lambda.handler import handler as lambda_handler

__all__ = ["lambda_handler"]
