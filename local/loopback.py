"""What speaks over loopback here: clients of the emulators, and HTTP servers that keep quiet."""

from http.server import BaseHTTPRequestHandler
from typing import Any, override

from local.environment import LOCAL_CREDENTIALS, REGION


def loopback_client(
    service: str,
    url: str,
    region: str = REGION,
    *,
    access_key: str = LOCAL_CREDENTIALS["AWS_ACCESS_KEY_ID"],
    **config: Any,
) -> Any:
    """Return a boto3 client for a service on this machine: never an account's credentials, never a proxy.

    Args:
        service: as boto3 calls it.
        url: of the service's API.
        region: the emulators keep the data of each region apart.
        access_key: some keep the data of each access key apart.
        config: botocore's `Config`, on top.
    """
    import boto3
    from botocore.config import Config

    make: Any = boto3.client
    given: dict[str, Any] = {"proxies": {}, "connect_timeout": 5, "read_timeout": 30, **config}
    return make(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=LOCAL_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(**given),
    )


class QuietHandler(BaseHTTPRequestHandler):
    """An HTTP handler that says nothing, whatever becomes of its client."""

    @override
    def handle(self) -> None:
        # A process that is killed leaves its connection in any state: that is its exit's business, not ours.
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal belongs to the caller."""
