"""The fast botocore session: its data, handlers, credentials and certificates are what this function uses of botocore.

botocore reads the whole data of a service, and the endpoints of all services, from files, and registers handlers for
all of them. Here the data is trimmed (`deploy.image.trim_botocore`): a call without data fails at once, as in a test,
and not on a rare path in production. Much of this is private in botocore; see README.md.
"""

import os
from typing import Any

import boto3
import orjson
from botocore.config import Config
from botocore.credentials import CredentialResolver, EnvProvider
from botocore.handlers import BUILTIN_HANDLERS, REGISTER_FIRST, REGISTER_LAST
from botocore.hooks import HierarchicalEmitter
from botocore.httpsession import DEFAULT_CA_BUNDLE
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import Session

from handler.coldstart.transport import Transport
from handler.settings import Settings

DATA = os.path.join(os.path.dirname(__file__), "botocore_data")

SERVICES = frozenset({"dynamodb", "sqs"})
"""The services that the function calls, in botocore's names."""


def create_client(service: str, settings: Settings, config: Config) -> Any:
    """Create a boto3 client from the fast session.

    Args:
        service: One of `SERVICES`.
        settings: The region and the tables.
        config: How the client talks to AWS.
    """
    core, loader = create_session()
    if settings.telemetry.snap_start:
        register_handlers(core, SERVICES)
        defer_credentials(core, settings)
    elif os.environ.get("AWS_ACCESS_KEY_ID"):
        # As on Lambda. botocore prefers these, too, but makes all its other providers first, with an HTTP session for
        # each metadata service.
        register_handlers(core, SERVICES)
        core.register_component("credential_provider", CredentialResolver([EnvProvider()]))
    else:
        search_credentials(core, loader, settings.region, config)
    if service == "dynamodb":
        _set_table_arns(loader, settings)
    session = boto3.Session(region_name=settings.region, botocore_session=core)
    create: Any = session.client
    # botocore looks for certifi's certificates before its own, with much of importlib.
    verify = core.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE") or DEFAULT_CA_BUNDLE
    # The user agent is made once here; otherwise botocore assembles it twice per call.
    client = create(service, config=config.merge(Config(user_agent=core.user_agent())), verify=verify)
    endpoint = client._endpoint  # noqa: SLF001 - a session does not choose the transport of its clients
    endpoint.http_session = Transport(endpoint.http_session)
    return client


def defer_credentials(core: Session, settings: Settings) -> None:
    """Make a session request credentials by their first use, which under SnapStart comes after the restore."""
    from handler.snapshot.credentials import SnapshotProvider

    core.register_component("credential_provider", SnapshotProvider(core, settings.region))


def create_session() -> tuple[Session, Loader]:
    """Create a session with trimmed data, without handlers and credentials."""
    core = Session(include_builtin_handlers=False)
    # Without aliases: botocore looks in each name of an event for fifty older names of services.
    core.register_component("event_emitter", HierarchicalEmitter())
    loader = TrimmedData(extra_search_paths=[DATA], include_default_search_paths=False)
    core.register_component("data_loader", loader)
    core.register_component("token_provider", _NoBearerToken())
    return core, loader


def search_credentials(core: Session, loader: Loader, region: str, config: Config) -> None:
    """Make a session look for credentials in all places that botocore knows.

    Args:
        core: A session without handlers.
        loader: The loader of its data.
        region: The region of STS.
        config: How the clients of STS and SSO talk to AWS.
    """
    from handler.coldstart import credentials

    register_handlers(core, SERVICES | credentials.SERVICES)
    loader.search_paths.append(credentials.DATA)
    core.set_default_client_config(config)
    core.register_component("credential_provider", credentials.CredentialSearch(core, region))


class _JsonFiles(JSONFileLoader):
    """Reads the files of the data; botocore's own class takes five times as long."""

    def load_file(self, file_path: str) -> Any:
        """Return the content of a file; None if there is none."""
        try:
            with open(f"{file_path}.json", "rb") as file:
                return orjson.loads(file.read())
        except FileNotFoundError:
            return None


class TrimmedData(Loader):
    """Loads the trimmed data as botocore's own.

    botocore treats other data as a customer's: it then resolves the host in its older way and passes it to the endpoint
    rules as a custom endpoint, so that dual-stack, account-based and some FIPS hosts are lost.
    """

    FILE_LOADER_CLASS = _JsonFiles

    def is_builtin_path(self, path: str) -> bool:  # noqa: ARG002 - there is no other data here
        """Return that data is botocore's own."""
        return True


class _NoBearerToken:
    """No bearer token: neither service takes one."""

    def load_token(self, **_: Any) -> None:
        """Return no token, as botocore's own search does where there is none."""


def _set_table_arns(loader: Loader, settings: Settings) -> None:
    """Give the endpoint rules the ARNs of the tables, in which they look for the account of the endpoint.

    botocore finds them in the parameters of each call, with JMESPath. The tables of this function never change.
    """
    operation = loader.load_service_model("dynamodb", "service-2", api_version=None)["operations"]["TransactWriteItems"]
    operation["operationContextParams"] = {}
    if settings.calendar_table.startswith("arn:"):
        arns = [settings.calendar_table, settings.audit_table]
        operation["staticContextParams"] = {"ResourceArnList": {"value": arns}}


def register_handlers(core: Session, services: frozenset[str]) -> None:
    """Register botocore's own handlers without nine in ten: those of other services and of its documentation.

    Args:
        core: A session without handlers.
        services: The services to call, in botocore's names.
    """
    emitter = core.get_component("event_emitter")
    register = {
        None: emitter.register,
        REGISTER_FIRST: emitter.register_first,
        REGISTER_LAST: emitter.register_last,
    }
    for event, handler, *order in BUILTIN_HANDLERS:
        phase, _, rest = event.partition(".")
        name = rest.partition(".")[0]
        if phase != "docs" and (not rest or name == "*" or name in services):
            register[order[0] if order else None](event, handler)
