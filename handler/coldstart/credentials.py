"""Credentials from elsewhere than the environment's keys: profiles, roles, SSO, processes and metadata services.

Imported only where AWS_ACCESS_KEY_ID is not set. Lambda sets it, except after a SnapStart restore: then the credentials
come from a container endpoint. botocore's own providers are used, in their order, with three differences:

* each call asks again for credentials that are not available yet. botocore stops for good at the start, and the failure
  would belong to no event;
* botocore's own clients (STS, SSO) have the timeouts of the function and make one attempt: `handler.retry` is the only
  retry policy;
* the data of their services is trimmed, and read when it is needed.
"""

import os
from collections.abc import Callable
from typing import Any

from botocore import exceptions as boto
from botocore.credentials import create_credential_resolver
from botocore.session import Session

DATA = os.path.join(os.path.dirname(__file__), "credential_data")

SERVICES = frozenset({"sts", "sso", "sso-oidc"})
"""The services that botocore calls for credentials, in its names."""

_WRONG_SETTINGS = (
    boto.ConfigNotFound,
    boto.ConfigParseError,
    boto.InfiniteLoopConfigError,
    boto.InvalidConfigError,
    boto.InvalidIMDSEndpointError,
    boto.InvalidIMDSEndpointModeError,
    boto.MissingDependencyException,
    boto.PartialCredentialsError,
    boto.ProfileNotFound,
    boto.UnknownCredentialError,
    OSError,  # a file or a program that a setting names and that does not exist
)
"""Exceptions that no later attempt can avoid."""


class CredentialSearch:
    """botocore's search for credentials, as the credential provider of a session.

    Args:
        core: The session.
        region: The region of STS.
    """

    def __init__(self, core: Session, region: str) -> None:
        self._core = core
        self._region = region

    def load_credentials(self) -> Any:
        """Return the credentials, or what asks for them again.

        Raises:
            BotoCoreError: A profile or a variable is wrong.
            OSError: A file or a program that one of them names cannot be used.
            ValueError: The content of such a file is wrong.
        """
        try:
            credentials = self._search()
        except _WRONG_SETTINGS:
            raise
        except Exception as error:
            if type(error) is ValueError:  # a subclass is about a response
                raise
            credentials = None
        return credentials or RetryingCredentials(self._search)

    def _search(self) -> Any:
        credentials = create_credential_resolver(self._core, region_name=self._region).load_credentials()
        if credentials is not None and credentials.method == "assume-role-with-web-identity":
            profile = self._core.get_scoped_config()
            # botocore reads it with the first call, and its absence would be that event's failure.
            with open(os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") or profile["web_identity_token_file"]):
                pass
        return credentials


class RetryingCredentials:
    """Credentials that are not available yet. Each use searches again, until the search finds them.

    Args:
        search: Returns credentials, or None where there are none.
    """

    method = "retrying"

    def __init__(self, search: Callable[[], Any]) -> None:
        self._search = search
        self._credentials: Any = None

    def get_deferred_property(self, name: str) -> Callable[[], Any]:
        """Return a function that reads a property when it is called, as botocore's own credentials do."""
        return lambda: getattr(self, name)

    def __getattr__(self, name: str) -> Any:
        if self._credentials is None:
            self._credentials = self._search()
        if self._credentials is None:
            raise boto.NoCredentialsError
        return getattr(self._credentials, name)
