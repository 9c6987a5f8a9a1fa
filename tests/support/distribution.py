"""How a parallel run distributes the tests. A plugin of tests/conftest.py.

A file runs in one worker, so that its fixtures are made once, and so do files that share something expensive.
"""

import resource
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.runner import runtestprotocol

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

TOGETHER = {
    # CDK: seconds for its import, seconds for a template
    "tests/integration/test_contract.py": "cdk",
    "tests/integration/monitoring": "cdk",
    "tests/adapt": "cdk",
    "tests/integration/deploy": "cdk",
    "tests/resilience/test_outage.py": "cdk",
    "tests/unit/deploy/test_pre_traffic.py": "cdk",
    # the syntax trees of all libraries
    "tests/integration/handler": "libraries",
    "tests/integration/test_variables.py": "libraries",
    # the run that the session fixture `folder` makes
    "tests/integration/mep/trace": "folder",
}
"""File or folder to the name of its group."""


def group(nodeid: str) -> str:
    """Return the file of a test, or the name in `TOGETHER`: what is equal runs in the same worker."""
    path = nodeid.partition("::")[0]
    return next((name for start, name in TOGETHER.items() if path.startswith(start)), path)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Let each worker begin to import the test files elsewhere, and go on where the next one has begun.

    Without their bytecode, as after a checkout, each worker would rewrite the assertions of each file: half a minute.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker is None or not (number := int(worker["workerid"].removeprefix("gw"))):
        return
    files = [path for folder in map(Path, session.config.args) for path in sorted(folder.rglob("test_*.py"))]
    for path in files[len(files) * number // worker["workercount"] :]:
        name = path.resolve().relative_to(session.config.rootpath).with_suffix("")
        if name.parts[:2] != ("tests", "system"):
            with suppress(Exception, pytest.skip.Exception):  # raised and reported where it is collected
                import_module(".".join(name.parts))


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Report a test that passes once, instead of at its start, after each of its phases and at its end.

    Each report is a message from a worker, which costs milliseconds on both sides.
    """
    config = item.config
    if not hasattr(config, "workerinput") or config.option.durations is not None or config.option.xmlpath:
        return None
    for report in runtestprotocol(item, nextitem=nextitem, log=False):
        if report.when == "call" or not report.passed:
            item.ihook.pytest_runtest_logreport(report=report)
    return True


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the CPU time of a parallel run, user and system together, with that of its workers and their processes."""
    if config.getoption("numprocesses", None):
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        seconds = sum(each.ru_utime + each.ru_stime for each in used)
        terminalreporter.write_line(f"CPU time: {seconds:.0f} s (tests/README.md)")
