"""Signs requests to AWS's own OTLP endpoints. Imported by the first export to one of them."""

import re
from collections.abc import Mapping
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

SERVICE = "xray"
"""The service in the signature's scope: https://docs.aws.amazon.com/xray/latest/devguide/xray-opentelemetry.html"""

_ROOT = re.compile(r"\A(https://[^/:]*)\.(?=[:/]|\Z)")
"""A host with the dot of the DNS root at its end, which urllib3 leaves out of the header that is signed."""


def sign(url: str, body: bytes, headers: Mapping[str, str], credentials: Any, region: str) -> dict[str, str]:
    """Return the headers of a POST request with an AWS Signature Version 4.

    Args:
        url: Of the request.
        body: As it is sent.
        headers: Those that are sent besides.
        credentials: As botocore has them: expired ones are refreshed here. None if there are none.
        region: In the signature's scope.

    Raises:
        botocore.exceptions.NoCredentialsError: There are none.
    """
    request = AWSRequest(method="POST", url=_ROOT.sub(r"\1", url), data=body, headers=headers)
    SigV4Auth(credentials and credentials.get_frozen_credentials(), SERVICE, region).add_auth(request)
    return dict(request.headers.items())
