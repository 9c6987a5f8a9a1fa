"""What botocore derives from its data and settings, derived once per process instead of once per session or client.

A command of `mep` creates a session and up to seven clients, which take a third of its CPU time, and the tests run
hundreds of commands in one process. Regions, credentials, endpoints and handlers stay those of each session and client.
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType
from typing import Any

import botocore.client
import botocore.endpoint
import botocore.hooks
import botocore.httpsession
import botocore.regions
import botocore.session
import botocore.useragent
import pytest

_USER_AGENT_PARTS = 10_000


def share_botocore_data(replace: Callable[[object, str, Any], None] = setattr) -> None:
    """Replace the functions of botocore that derive the same again and again.

    Args:
        replace: Sets an attribute of a module or class; that of `pytest.MonkeyPatch` restores it.
    """
    # The data of services, which is read from files, and all that is made of it alone.
    replace(botocore.session, "create_loader", functools.cache(botocore.session.create_loader))
    creator: Any = botocore.client.ClientCreator
    replace(creator, "_load_service_model", _once_per_loader(creator._load_service_model))
    replace(creator, "_create_methods", _copied(_once_per_model(creator._create_methods)))
    replace(creator, "_create_name_mapping", _copied(_once_per_model(creator._create_name_mapping)))
    regions: Any = botocore.regions
    replace(regions, "EndpointProvider", _once_per_rules(regions.EndpointProvider))
    # The names of events, whose translation by constants takes a tenth of a command's time.
    aliaser: Any = botocore.hooks.EventAliaser
    replace(aliaser, "__init__", _with_names(aliaser.__init__))
    # Handlers: hundreds are checked for each session and copied for each client.
    hooks: Any = botocore.hooks
    replace(hooks, "accepts_kwargs", _accepts_kwargs)
    replace(hooks._PrefixTrie, "_recursive_copy", _copy_handlers)
    replace(
        botocore.useragent,
        "sanitize_user_agent_string_component",
        functools.lru_cache(_USER_AGENT_PARTS)(botocore.useragent.sanitize_user_agent_string_component),
    )
    # A TLS context takes a tenth of a client's time; the endpoints on loopback are plain HTTP.
    endpoints: Any = botocore.endpoint.EndpointCreator
    replace(endpoints, "create_endpoint", _without_tls(endpoints.create_endpoint))


@pytest.fixture(scope="session", autouse=True)
def shared_botocore_data() -> Iterator[None]:
    """Derive what botocore derives from its data once for a run."""
    with pytest.MonkeyPatch.context() as patch:
        share_botocore_data(patch.setattr)
        yield


class _PlainSession(botocore.httpsession.URLLib3Session):
    """A session that makes no TLS context."""

    def _get_ssl_context(self) -> None:
        return None


def _without_tls(create: Any) -> Any:
    def create_endpoint(creator: Any, service_model: Any, region_name: Any, endpoint_url: str, **options: Any) -> Any:
        if endpoint_url.startswith("http://"):
            options.setdefault("http_session_cls", _PlainSession)
        return create(creator, service_model, region_name, endpoint_url, **options)

    return create_endpoint


def _once_per_loader(load: Any) -> Any:
    models: dict[Any, Any] = {}

    def load_once(creator: Any, service: str, api_version: str | None = None) -> Any:
        key = (creator._loader, service, api_version)
        if key not in models:
            models[key] = load(creator, service, api_version)
        return models[key]

    return load_once


def _once_per_model(create: Any) -> Any:
    created: dict[Any, Any] = {}

    def create_once(creator: Any, service_model: Any) -> Any:
        if service_model not in created:
            created[service_model] = create(creator, service_model)
        return created[service_model]

    return create_once


def _copied(create: Any) -> Any:
    return lambda creator, service_model: dict(create(creator, service_model))


def _once_per_rules(create: Any) -> Any:
    created: dict[Any, Any] = {}

    def create_once(ruleset_data: Any, partition_data: Any, excluded_params: Any = None) -> Any:
        key = (id(ruleset_data), id(partition_data), frozenset(excluded_params or ()))
        if key not in created:
            provider = create(ruleset_data, partition_data, excluded_params)
            created[key] = (provider, ruleset_data, partition_data)  # kept, so that no other data has their identities
        return created[key][0]

    return create_once


def _with_names(make: Any) -> Any:
    names: dict[str, str] = {}

    def make_with_names(aliaser: Any, *args: Any, **kwargs: Any) -> None:
        make(aliaser, *args, **kwargs)
        vars(aliaser)["_alias_name_cache"] = names

    return make_with_names


def _accepts_kwargs(function: Any) -> Any:
    """Read from the code what `inspect` derives of a signature."""
    if isinstance(function, MethodType):
        function = function.__func__
    if isinstance(function, FunctionType):
        return bool(function.__code__.co_flags & inspect.CO_VARKEYWORDS)
    return inspect.getfullargspec(function).varkw


def _copy_handlers(trie: Any, node: dict[str, Any]) -> dict[str, Any]:
    copied = node.copy()
    make: Any = botocore.hooks.NodeList._make
    for name, value in node.items():
        if type(value) is dict:
            copied[name] = _copy_handlers(trie, value)
        elif isinstance(value, botocore.hooks.NodeList):
            copied[name] = make([handlers.copy() for handlers in value])
    return copied
