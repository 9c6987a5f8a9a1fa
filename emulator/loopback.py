"""What speaks over loopback here: clients of the emulators, and HTTP servers that keep quiet."""

import os
from collections.abc import Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import Any, override

from emulator.environment import LOCAL_CREDENTIALS, REGION

_MAKING = Lock()


def loopback_client(
    service: str,
    url: str,
    region: str = REGION,
    *,
    access_key: str = LOCAL_CREDENTIALS["AWS_ACCESS_KEY_ID"],
    credentials: Mapping[str, str] | None = None,
    **config: Any,
) -> Any:
    """Return a boto3 client for a service on this machine: never an account's settings, never a proxy.

    Args:
        service: as boto3 calls it.
        url: of the service's API.
        region: the emulators keep the data of each region apart.
        access_key: some keep the data of each access key apart.
        credentials: The `AWS_*` variables to sign with instead.
        config: botocore's `Config`, on top.
    """
    from botocore.config import Config

    given: dict[str, Any] = {
        "proxies": {},
        "connect_timeout": 5,
        "read_timeout": 30,
        # botocore refuses an endpoint that is named together with these two.
        "use_fips_endpoint": False,
        "use_dualstack_endpoint": False,
        **config,
    }
    if credentials is None:
        credentials = {**LOCAL_CREDENTIALS, "AWS_ACCESS_KEY_ID": access_key}
    with _MAKING:  # a session makes one client at a time
        return _session().client(
            service,
            endpoint_url=url,
            region_name=region,
            aws_access_key_id=credentials.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=credentials.get("AWS_SECRET_ACCESS_KEY"),
            aws_session_token=credentials.get("AWS_SESSION_TOKEN"),
            config=Config(**given),
        )


@cache
def _session() -> Any:
    """A session that knows no variable and no file: what is on this machine must work whatever a profile says."""
    import boto3
    from botocore.session import Session

    unread = {name: (None, None, default, kind) for name, (_, _, default, kind) in Session.SESSION_VARIABLES.items()}
    for name in ("config_file", "credentials_file"):
        unread[name] = (None, None, os.devnull, None)
    make: Any = Session
    return boto3.Session(botocore_session=make(session_vars=unread))


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
