"""Credentials under SnapStart: none are requested before the snapshot, whose copies would share them.

Lambda offers them at a container endpoint (AWS_CONTAINER_CREDENTIALS_FULL_URI) instead of in the environment.
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html#snapstart-credentials
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.credentials import ContainerProvider, CredentialResolver, EnvProvider
from botocore.session import Session

from handler.coldstart.credentials import CredentialSearch, RetryingCredentials


class SnapshotCredentials(RetryingCredentials):
    """Credentials that are requested by their first use after the restore.

    Args:
        search: Returns credentials, or None where there are none.
    """

    method = "snapshot"

    def __init__(self, search: Callable[[], Any]) -> None:
        super().__init__(search)

    @contextmanager
    def replaced_by(self, endpoint: str) -> Iterator[None]:
        """Use the credentials of another container endpoint inside the block, and forget them afterwards."""
        self._credentials = ContainerProvider({ContainerProvider.ENV_VAR_FULL: endpoint}).load()
        try:
            yield
        finally:
            self._credentials = None


class SnapshotProvider:
    """The credential provider of a session under SnapStart.

    Args:
        core: The session.
        region: The region of STS.
    """

    def __init__(self, core: Session, region: str) -> None:
        # As on Lambda; each provider makes what it needs for a request now, and requests nothing.
        self._usual = CredentialResolver([EnvProvider(), ContainerProvider()])
        self._others = CredentialSearch(core, region)

    def load_credentials(self) -> SnapshotCredentials:
        """Return what requests the credentials when they are used."""
        return SnapshotCredentials(lambda: self._usual.load_credentials() or self._others.load_credentials())
