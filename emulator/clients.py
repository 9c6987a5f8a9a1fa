"""boto3 clients for AWS APIs on this machine: never an account's settings, never a proxy."""

import os
from collections.abc import Mapping
from functools import cache
from threading import Lock
from typing import Any

from emulator.environment import LOCAL_CREDENTIALS, REGION

_SESSION_LOCK = Lock()


def loopback_client(
    service: str,
    url: str,
    region: str = REGION,
    *,
    access_key: str = LOCAL_CREDENTIALS["AWS_ACCESS_KEY_ID"],
    credentials: Mapping[str, str] | None = None,
    **config: Any,
) -> Any:
    """Return a boto3 client for a service on this machine.

    Args:
        service: The service's name in boto3.
        url: The endpoint.
        region: The region; emulators keep the data of each region apart.
        access_key: The access key ID; some emulators keep the data of each apart.
        credentials: The `AWS_*` variables to sign with instead of the local ones.
        config: Further arguments of botocore's `Config`.
    """
    from botocore.config import Config

    settings: dict[str, Any] = {
        "proxies": {},
        "connect_timeout": 5,
        "read_timeout": 30,
        # botocore rejects a custom endpoint together with either of these.
        "use_fips_endpoint": False,
        "use_dualstack_endpoint": False,
        **config,
    }
    if credentials is None:
        credentials = {**LOCAL_CREDENTIALS, "AWS_ACCESS_KEY_ID": access_key}
    with _SESSION_LOCK:  # a session creates one client at a time
        return _session().client(
            service,
            endpoint_url=url,
            region_name=region,
            aws_access_key_id=credentials.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=credentials.get("AWS_SECRET_ACCESS_KEY"),
            aws_session_token=credentials.get("AWS_SESSION_TOKEN"),
            config=Config(**settings),
        )


@cache
def _session() -> Any:
    """Return a session that reads no variable and no file: a developer's profile must not change local calls."""
    import boto3
    from botocore.session import Session

    variables = {name: (None, None, default, kind) for name, (_, _, default, kind) in Session.SESSION_VARIABLES.items()}
    for name in ("config_file", "credentials_file"):
        variables[name] = (None, None, os.devnull, None)
    session_class: Any = Session
    return boto3.Session(botocore_session=session_class(session_vars=variables))
