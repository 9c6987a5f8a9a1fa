"""Who is at the keyboard, for the audit entries."""

import getpass
import socket

from ops.dlq.settings import DlqSettings


def operator_name(settings: DlqSettings, given: str | None) -> str:
    """The name given, else AWS's name for the caller, else `user@host`.

    Args:
        settings: where STS is.
        given: `--operator` or `MEP_OPERATOR`.
    """
    if given and given.strip():
        return given.strip()
    if settings.reachable("sts"):
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return str(settings.client("sts").get_caller_identity()["Arn"])
        except (BotoCoreError, ClientError):
            pass  # the act itself will tell what is wrong with the credentials
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
