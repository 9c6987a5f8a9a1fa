"""Who is at the keyboard, for the audit entries."""

import getpass
import socket
from contextlib import suppress

from mep.aws import Aws
from mep.aws_errors import asking
from mep.errors import LocalError


def operator_name(aws: Aws, given: str | None) -> str:
    """The name given, else AWS's name for the caller, else `user@host`.

    Args:
        aws: where STS is.
        given: `--operator` or `MEP_OPERATOR`.
    """
    if given and given.strip():
        return given.strip()
    if aws.reachable("sts"):
        client = aws.client("sts")
        # The act itself will tell what is wrong with the credentials.
        with suppress(LocalError), asking("STS cannot be asked", client):
            return str(client.get_caller_identity()["Arn"])
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
