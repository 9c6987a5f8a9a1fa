"""The names of an environment's resources in AWS: the stack gives them, and the commands derive them."""

from dataclasses import dataclass

from handler.contract import AUDIT, BUS, CALENDAR, FUNCTION_NAME
from monitoring.alarms import notifications
from monitoring.model import Level, Limits, Severity

ENVIRONMENTS = ("dev", "staging", "prod")

ALIAS = "live"
"""The alias that events are delivered to."""


PREFIX = "[a-z][a-z0-9-]{0,31}[a-z0-9]"
"""The pattern of a prefix: the name of the archive, with environment and hash of the bus, has at most 48 characters."""

PREFIX_RULE = "2 to 33 of a-z, 0-9 and -"


def table_name(base: str, environment: str) -> str:
    """Return the name of a table that the stack creates: without suffix in production, for other teams."""
    return base if environment == "prod" else f"{base}-{environment}"


def bus_log_group(bus: str) -> str:
    """Return the name of the log group of an event bus: the one that AWS's console proposes."""
    return f"/aws/vendedlogs/events/event-bus/{bus}"


@dataclass(frozen=True, slots=True)
class StackNames:
    """The names of one environment's resources.

    Attributes:
        environment: One of `ENVIRONMENTS`.
        prefix: The prefix of the stack's names.
    """

    environment: str
    prefix: str = FUNCTION_NAME

    @property
    def name(self) -> str:
        """The name of the stack and of the function, the prefix of most other names."""
        return f"{self.prefix}-{self.environment}"

    @property
    def needs_recipient(self) -> bool:
        """Whether somebody must be subscribed to the alarms."""
        return self.environment == "prod"

    @property
    def alias(self) -> str:
        """The function's alias, as Lambda's API takes it."""
        return f"{self.name}:{ALIAS}"

    @property
    def log_group(self) -> str:
        """The function's log group."""
        return f"/aws/lambda/{self.name}"

    @property
    def dead_letter_queue(self) -> str:
        """The dead-letter queue."""
        return f"{self.name}-dead-letters"

    @property
    def bus(self) -> str:
        """The event bus that the stack creates."""
        return f"{BUS}-{self.environment}"

    @property
    def calendar_table(self) -> str:
        """The calendar table that the stack creates."""
        return table_name(CALENDAR.default, self.environment)

    @property
    def audit_table(self) -> str:
        """The audit table that the stack creates."""
        return table_name(AUDIT.default, self.environment)

    def alarm(self, name: str) -> str:
        """Return the full name of an alarm."""
        return f"{self.name}-{name}"

    def topic(self, severity: Severity) -> str:
        """Return the name of the topic of the alarms of a severity."""
        return f"{self.name}-{severity.value}"

    def alarms(self, level: Level = Level.FULL) -> dict[str, Severity | None]:
        """Return every alarm by its full name, with whom it notifies; None for one that notifies nobody.

        Args:
            level: How much is monitored. `silence` is left out: the environment's file turns it on.
        """
        return {self.alarm(name): severity for name, severity in notifications(Limits(), level).items()}
