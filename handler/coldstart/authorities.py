"""Certificate authorities: the file is read once for a client.

All connections of a client have one TLS context. urllib3 reads the certificate authorities into it for each of them,
which costs as much as thirty events, and AWS closes a connection that was idle between events. The file does not change
while a sandbox lives.
"""

from collections.abc import Callable
from typing import Any


def read_once(context: Any) -> None:
    """Let a TLS context load each file of certificate authorities once; a file that could not be read is tried again.

    Args:
        context: An `ssl.SSLContext` that botocore has made for a client.
    """
    if "load_verify_locations" not in vars(context):
        context.load_verify_locations = _once(context.load_verify_locations)


def _once(load: Callable[..., None]) -> Callable[..., None]:
    loaded: set[tuple[object, ...]] = set()

    def load_once(cafile: object = None, capath: object = None, cadata: object = None) -> None:
        wanted = (cafile, capath, cadata)
        if wanted not in loaded:
            load(cafile, capath, cadata)
            loaded.add(wanted)

    return load_once
