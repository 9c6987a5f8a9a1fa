"""The export modes in which tests run the function in a process of its own: `direct`, and ADOT's fast start.

No test framework is needed here: `make soak` imports this module, too.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType

from emulator.environment import PROJECT_ROOT
from emulator.errors import EmulatorError

WRAPPER = PROJECT_ROOT / "deploy" / "image" / "layer" / "otel-instrument"
"""The image's script. ADOT's packages are those of this environment."""

EXPORT_MODES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"layer": {"AWS_LAMBDA_EXEC_WRAPPER": str(WRAPPER)}, "direct": {}}
)
"""The environment variables that select each mode."""


def export_mode_variables(mode: str) -> Mapping[str, str]:
    """Return the environment variables that select an export mode.

    Args:
        mode: A key of `EXPORT_MODES`.

    Raises:
        EmulatorError: ADOT's packages are not installed; the function would report that and export in direct mode.
    """
    if mode == "layer" and find_spec("amazon") is None:
        raise EmulatorError("the layer's packages are not installed: make setup")
    return EXPORT_MODES[mode]
