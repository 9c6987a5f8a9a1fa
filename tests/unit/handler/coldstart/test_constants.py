"""The constants of modules that are left out are those that the libraries ask for, with their values."""

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from handler.coldstart.constants import CONSTANTS
from handler.coldstart.stubs import Constants
from tests.integration.handler.test_lazy_imports import ONE_EVENT, fresh_process


def agrees(constant: Any, real: Any) -> bool:
    """Return whether a constant is the real one, or a group of constants of it."""
    if isinstance(constant, SimpleNamespace):
        return all(agrees(value, getattr(real, name)) for name, value in vars(constant).items())
    return bool(constant == real and type(constant) is type(real))


@pytest.mark.parametrize("module", CONSTANTS)
def test_values_are_those_of_the_module(module: str) -> None:
    for name, constant in CONSTANTS[module].items():
        assert agrees(constant, getattr(import_module(module), name)), name


def test_the_real_module_has_the_other_names() -> None:
    module = Constants("opentelemetry.semconv._incubating.attributes.rpc_attributes", {"RPC_METHOD": "rpc.method"})
    assert (module.RPC_METHOD, module.RPC_GRPC_STATUS_CODE) == ("rpc.method", "rpc.grpc.status_code")
    with pytest.raises(AttributeError):
        module.__file__  # noqa: B018 - its attribute is what is asked for


def test_no_other_name_is_asked_for_and_every_one_is() -> None:
    recording = """
import sys
from types import SimpleNamespace
from handler.coldstart import constants, stubs
asked, missing = set(), []
class Recorder:
    def __init__(self, path, values): vars(self).update(path=path, values=values)
    def __getattr__(self, name):
        asked.add(f"{self.path}.{name}")
        value = self.values[name]
        return Recorder(f"{self.path}.{name}", vars(value)) if isinstance(value, SimpleNamespace) else value
def paths(path, values):
    for name, value in values.items():
        if isinstance(value, SimpleNamespace): yield from paths(f"{path}.{name}", vars(value))
        else: yield f"{path}.{name}"
load = stubs.load_in_place_of
def recorded(stub):
    if stub.__name__ in constants.CONSTANTS: missing.append(stub.__name__)
    return load(stub)
stubs.load_in_place_of = recorded
stubs.Constants = lambda name, values: Recorder(name, {"__spec__": None, "__path__": [], **values})
"""
    result = """
every = {path for name, values in constants.CONSTANTS.items() for path in paths(name, values)}
print(missing, sorted(every - asked), file=sys.stderr)
"""
    assert '"outcome":"marked"' in fresh_process(recording + ONE_EVENT + result, stderr="[] []\n")
