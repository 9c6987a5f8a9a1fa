"""Where coverage measures: the tests of `handler` and `otel`. A plugin of tests/conftest.py.

The tracer makes every call of Python slower, also those of pytest and of the collection, and other tests add next
to nothing. It is switched between files, since each switch takes milliseconds.
"""

from importlib import import_module
from pkgutil import walk_packages

import pytest

import handler
import otel

_BY = (
    *("tests/unit/handler/", "tests/unit/otel/", "tests/integration/handler/"),
    *("tests/integration/test_exporters.py", "tests/integration/test_log_lines.py"),
)
_NOT_BY = ("tests/integration/handler/test_library_calls.py",)
"""Mostly `ast`, on the sources of libraries."""
_STARTS_THE_FUNCTION = "handler.app"


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Import what is measured, whose definitions count, and stop until a test of it runs."""
    if session.config.pluginmanager.hasplugin("_cov"):
        for package in (handler, otel):
            for module in walk_packages(package.__path__, f"{package.__name__}."):
                if module.name != _STARTS_THE_FUNCTION:
                    import_module(module.name)
        _switch(session.config, on=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Measure where the file of the test measures."""
    _switch(item.config, on=item.nodeid.startswith(_BY) and not item.nodeid.startswith(_NOT_BY))


def _switch(config: pytest.Config, *, on: bool) -> None:
    controller = getattr(config.pluginmanager.getplugin("_cov"), "cov_controller", None)
    if controller is None:
        return
    coverage = controller.cov
    if on and not coverage._started:
        controller.resume()
    elif not on and coverage._started:
        controller.pause()
