"""TLS under SnapStart: the certificate authorities are read before the snapshot.

Reading them costs more than anything else that a first event does. A snapshot never changes, nor does the file.
"""

from typing import Any

from botocore.httpsession import get_cert_path

from handler.coldstart.authorities import read_once


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
    read_once(context)
    context.load_verify_locations(get_cert_path(session["_verify"]), None, None)
