"""The settings of the automatic redrive: those of `mep`, and what it invokes."""

from collections.abc import Mapping
from dataclasses import dataclass

from mep.errors import UsageError
from mep.settings import Settings
from mep.settings import load_settings as load_stack_settings
from redriver import BUS_VARIABLE, FUNCTION_VARIABLE, RULE_VARIABLE


@dataclass(frozen=True, slots=True)
class RedriverSettings:
    """The settings.

    Attributes:
        stack: The resources of the stack.
        function: ARN of the function's alias.
        rule: Name of the rule that delivers events to the function.
        bus: Name of the rule's bus.
    """

    stack: Settings
    function: str
    rule: str
    bus: str

    @property
    def unqualified_function(self) -> str:
        """The ARN of the function without the alias."""
        return self.function.rpartition(":")[0]


def load_settings(environ: Mapping[str, str]) -> RedriverSettings:
    """Read the settings.

    Raises:
        UsageError: A setting is missing or invalid.
    """
    values = {name: environ.get(name, "").strip() for name in (FUNCTION_VARIABLE, RULE_VARIABLE, BUS_VARIABLE)}
    if missing := [name for name, value in values.items() if not value]:
        raise UsageError(f"{', '.join(missing)} must be set")
    function = values[FUNCTION_VARIABLE]
    stack = load_stack_settings(environ, regional_options={FUNCTION_VARIABLE: function})
    return RedriverSettings(stack, function, values[RULE_VARIABLE], values[BUS_VARIABLE])
