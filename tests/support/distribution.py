"""How a parallel run distributes the tests. A plugin of tests/conftest.py.

A file runs in one worker, so that its fixtures are made once, and so do files that share something expensive.
"""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

TOGETHER = {
    # CDK: seconds for its import, seconds for a template
    "tests/integration/test_contract.py": "cdk",
    "tests/integration/monitoring": "cdk",
    "tests/adapt": "cdk",
    "tests/integration/deploy": "cdk",
    # the syntax trees of all libraries
    "tests/integration/handler": "libraries",
    # the run that the session fixture `folder` makes
    "tests/integration/mep/trace": "folder",
}
"""File or folder to the name of its group."""


def group(nodeid: str) -> str:
    """Return the file of a test, or the name in `TOGETHER`: what is equal runs in the same worker."""
    path = nodeid.partition("::")[0]
    return next((name for start, name in TOGETHER.items() if path.startswith(start)), path)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "LoadScopeScheduling | None":
    """Replace `--dist loadfile` by the scheduler of this module."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
        def _split_scope(self, nodeid: str) -> Any:
            return group(nodeid)

    return Scheduling(config, log)
