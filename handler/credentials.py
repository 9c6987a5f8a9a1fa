"""Credentials from elsewhere than the environment's keys: profiles, roles, SSO, processes and metadata services.

Imported only where `AWS_ACCESS_KEY_ID` is not set. On Lambda it is set, except after a SnapStart restore: then the
credentials come from a container endpoint. The search is botocore's own, in its order. Three things are different:

* credentials that cannot be had are asked for again by each call. botocore gives up for good at the start, and the
  failure would belong to no event.
* botocore's own clients (STS, SSO) have the function's timeouts and try once: `handler.retry` is the only policy.
* their service data is cut down, as that of the function's own services, and read when it is needed.
"""

import os
from collections.abc import Callable
from typing import Any

from botocore import exceptions as boto
from botocore.credentials import create_credential_resolver
from botocore.loaders import Loader
from botocore.session import Session

from handler.aws import SERVICES, client_config, register_handlers
from handler.settings import Settings

DATA = os.path.join(os.path.dirname(__file__), "coldstart", "credential_data")

CREDENTIAL_SERVICES = frozenset({"sts", "sso", "sso-oidc"})
"""What botocore calls for credentials, in its names."""

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
    OSError,  # a file or a program that is named and is not there
)
"""What no later attempt cures."""


def look_elsewhere(core: Session, data: Loader, settings: Settings) -> None:
    """Make a session look for credentials in all places that botocore knows.

    Args:
        core: the session, without handlers yet.
        data: its loader.
        settings: the region and the timeouts.
    """
    register_handlers(core, SERVICES | CREDENTIAL_SERVICES)
    data.search_paths.append(DATA)
    core.set_default_client_config(client_config(settings))
    core.register_component("credential_provider", _Search(core, settings.region))


class _Search:
    """botocore's search for credentials."""

    def __init__(self, core: Session, region: str) -> None:
        self._core = core
        self._region = region

    def load_credentials(self) -> Any:
        """The credentials, or what asks for them again.

        Raises:
            BotoCoreError: a profile or a variable is wrong.
            OSError: a file or a program that one of them names cannot be used.
            ValueError: likewise, its content.
        """
        try:
            found = self._search()
        except _WRONG_SETTINGS:
            raise
        except Exception as error:
            if type(error) is ValueError:  # a subclass is about what somebody has answered
                raise
            found = None
        return found or AskedAgain(self._search)

    def _search(self) -> Any:
        found = create_credential_resolver(self._core, region_name=self._region).load_credentials()
        if found is not None and found.method == "assume-role-with-web-identity":
            profile = self._core.get_scoped_config()
            # Read by the first call only, as an event's failure; that it cannot be read is known now.
            with open(os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") or profile["web_identity_token_file"]):
                pass
        return found


class AskedAgain:
    """Credentials that could not be had yet. Whatever is asked of them searches again, until it finds them."""

    method = "asked-again"

    def __init__(self, search: Callable[[], Any]) -> None:
        """Remember how to look.

        Args:
            search: finds credentials; None where there are none.
        """
        self._search = search
        self._found: Any = None

    def get_deferred_property(self, name: str) -> Callable[[], Any]:
        """As botocore's own credentials: a property that is looked at when it is called."""
        return lambda: getattr(self, name)

    def __getattr__(self, name: str) -> Any:
        if self._found is None:
            self._found = self._search()
        if self._found is None:
            raise boto.NoCredentialsError
        return getattr(self._found, name)
