"""A handler that asks for something that is no part of the benchmark before it makes its write."""

import os
from typing import Any
from urllib.request import Request, urlopen

from bench.variants import raw_http


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    request = Request(f"{os.environ['AWS_ENDPOINT_URL_DYNAMODB']}/latest/api/token", method="PUT")
    try:
        urlopen(request).close()
    except OSError:
        return raw_http.lambda_handler(event, context)
    raise AssertionError("the stub answered what it does not know")
