"""The settings of the automatic redrive. All are required: the stack sets them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handler.contract import AUDIT, CALENDAR
from mep.aws import AwsClients, open_aws
from mep.errors import UsageError
from redriver import BUS_VARIABLE, ENVIRONMENT_VARIABLE, FUNCTION_VARIABLE, QUEUE_VARIABLE, RULE_VARIABLE

CONNECT_TIMEOUT_S = 2
READ_TIMEOUT_S = 8
"""All attempts of a call that is never answered end within `redriver.policy.RESERVE_S`, so that the run can end."""


@dataclass(frozen=True, slots=True)
class RedriverSettings:
    """The settings.

    Attributes:
        aws: The boto3 clients.
        environment: The stack's environment; the dimension of its metrics.
        queue_url: URL of the dead-letter queue.
        calendar_table: Name of the calendar table.
        audit_table: Name of the audit table.
        function: ARN of the function's alias.
        rule: Name of the rule that delivers events to the function.
        bus: Name of the rule's bus.
    """

    aws: AwsClients
    environment: str
    queue_url: str
    calendar_table: str
    audit_table: str
    function: str
    rule: str
    bus: str

    def client(self, service: str) -> Any:
        """Return the client of a service; each is created once.

        Args:
            service: boto3's name of the service.

        Raises:
            UsageError: A boto3 setting is invalid.
        """
        return self.aws.client(service, connect_timeout=CONNECT_TIMEOUT_S, read_timeout=READ_TIMEOUT_S)

    @property
    def unqualified_function(self) -> str:
        """The ARN of the function without the alias."""
        return self.function.rpartition(":")[0]


def load_settings(environ: Mapping[str, str]) -> RedriverSettings:
    """Read the settings.

    Raises:
        UsageError: A setting is missing or invalid.
    """
    names = (
        *(ENVIRONMENT_VARIABLE, QUEUE_VARIABLE, CALENDAR.variable, AUDIT.variable),
        *(FUNCTION_VARIABLE, RULE_VARIABLE, BUS_VARIABLE),
    )
    values = {name: environ.get(name, "").strip() for name in names}
    if missing := [name for name, value in values.items() if not value]:
        raise UsageError(f"{', '.join(missing)} must be set")
    aws = open_aws({name: values[name] for name in (QUEUE_VARIABLE, FUNCTION_VARIABLE)}, environ)
    aws.use_queue(values[QUEUE_VARIABLE], is_option=False)
    return RedriverSettings(aws, *values.values())
