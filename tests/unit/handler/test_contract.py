"""The contract of the function is in one module, and its names fit what they are used for."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.environment import PROJECT_ROOT
from handler import contract
from handler.outcome import INSTRUMENTATION
from otel import semconv
from tests.support.tree import project_files

NAMES = {
    *(contract.DISPLAY_NAME, contract.FUNCTION_NAME, contract.DESCRIPTION),
    *(contract.DETAIL_TYPE, contract.DEFAULT_SOURCE, *contract.KEY_FIELDS),
    *(contract.CALENDAR.variable, contract.CALENDAR.default, *contract.CALENDAR.key),
    *(contract.AUDIT.variable, contract.AUDIT.default, *contract.AUDIT.key, contract.CORRELATION_INDEX),
    *(contract.PROCESSED, contract.PROCESSED_AT, contract.PROCESSED_BY, contract.AUDIT_ACTION, contract.PREVIOUS_STATE),
}
PACKAGES = ("handler", "otel", "monitoring", "mep", "emulator", "deploy")
EXCEPTIONS = {(file, contract.FUNCTION_NAME) for file in ("mep/__init__.py", "mep/aws.py")}
"""The distribution has the name of the function."""


def constants(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_module_has_a_name_of_it(package: str) -> None:
    repeated = {
        (file, name)
        for path in project_files(PROJECT_ROOT, f"{package}/*.py")
        for file in [str(path.relative_to(PROJECT_ROOT))]
        if file != "handler/contract.py"
        for name in NAMES.intersection(constants(path))
    }
    assert repeated <= EXCEPTIONS


def test_the_key_is_the_subject() -> None:
    """The names of the subject are log fields and X-Ray annotations of their own."""
    assert contract.CALENDAR.key == tuple(contract.KEY_FIELDS) == INSTRUMENTATION.subject_keys
    assert not semconv.LOG_FIELDS.intersection(contract.KEY_FIELDS)
    assert all(name.replace("_", "").isalnum() and name.isascii() for name in INSTRUMENTATION.annotations)


def test_the_optional_fields_that_the_write_needs() -> None:
    assert {"event_id", contract.PROCESSED_AT} <= contract.OPTIONAL_FIELDS.keys()
