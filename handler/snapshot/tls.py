"""TLS under SnapStart: the certificate authorities are read before the snapshot.

urllib3 reads the file with them for each connection, which costs more than anything else that a first event does. The
context that botocore makes for a client stays; it reads each file once. A snapshot never changes, nor does the file.
"""

from collections.abc import Callable
from typing import Any

from botocore.httpsession import get_cert_path


def preload_authorities(client: Any) -> None:
    """Read the certificate authorities of a client whose endpoint uses TLS.

    Args:
        client: A client of boto3.
    """
    if not client.meta.endpoint_url.startswith("https:"):
        return
    # Neither a client nor its session offers the context; a missing name raises here, before the snapshot.
    session = vars(vars(client)["_endpoint"].http_session)
    context = session["_manager"].connection_pool_kw["ssl_context"]
    context.load_verify_locations = _once(context.load_verify_locations)
    context.load_verify_locations(get_cert_path(session["_verify"]), None, None)


def _once(load: Callable[..., None]) -> Callable[..., None]:
    loaded: set[tuple[object, ...]] = set()

    def load_once(cafile: object = None, capath: object = None, cadata: object = None) -> None:
        wanted = (cafile, capath, cadata)
        if wanted not in loaded:
            load(cafile, capath, cadata)
            loaded.add(wanted)

    return load_once
