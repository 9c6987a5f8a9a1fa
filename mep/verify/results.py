"""The results of a verification."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mep.errors import ExitStatus, Problem, Reason


class Status(StrEnum):
    """The result of a check.

    Attributes:
        PASS: It is as it should be.
        FAIL: It is not.
        NOT_AVAILABLE: It could not be asked, so it is unknown.
    """

    PASS = "pass"  # noqa: S105 - the word of the JSON output, no password
    FAIL = "fail"
    NOT_AVAILABLE = "not_available"


class CheckName(StrEnum):
    """The checks, in their order; those after `SUBSCRIPTIONS` are of the round trip."""

    ROW = "row"
    AUDIT_ENTRY = "audit_entry"
    OUTCOME = "outcome"
    UNCHANGED = "unchanged"
    LOG = "log"
    METRICS = "metrics"
    TRACE = "trace"
    ALARMS = "alarms"
    ALARM_STATES = "alarm_states"
    SUBSCRIPTIONS = "subscriptions"
    RESERVED_ROWS = "reserved_rows"
    RULE = "rule"
    DELIVERY = "delivery"
    DELIVERY_ENTRY = "delivery_entry"
    DEAD_LETTER = "dead_letter"
    REDRIVE = "redrive"
    REDRIVEN = "redriven"
    QUEUE = "queue"
    NOTIFICATION = "notification"
    DELIVERY_LOG = "delivery_log"
    DELIVERY_METRICS = "delivery_metrics"
    DELIVERY_TRACE = "delivery_trace"
    CLEAN_UP = "clean_up"


ROUND_TRIP_CHECKS = tuple(CheckName)[tuple(CheckName).index(CheckName.SUBSCRIPTIONS) + 1 :]
"""The checks of the round trip."""

PLAIN_CHECKS = tuple(name for name in CheckName if name not in ROUND_TRIP_CHECKS)
"""The checks without the round trip."""

OPTIONAL_CHECKS = frozenset(
    {
        *(CheckName.LOG, CheckName.METRICS, CheckName.TRACE),
        *(CheckName.ALARMS, CheckName.ALARM_STATES, CheckName.SUBSCRIPTIONS, CheckName.NOTIFICATION),
        *(CheckName.DELIVERY_LOG, CheckName.DELIVERY_METRICS, CheckName.DELIVERY_TRACE),
    }
)
"""The checks of services that an emulator need not have. Without the others nothing is proven there either."""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check.

    Attributes:
        name: The check.
        status: Its result.
        text: What was found, in one sentence.
        advice: What to do; empty where it passed.
        reason: Why it could not be asked, as one word; empty where it could.
    """

    name: CheckName
    status: Status
    text: str
    advice: str = ""
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether it passed."""
        return self.status is Status.PASS

    @classmethod
    def not_available(cls, name: CheckName, problem: Problem) -> "Check":
        """Return the result of a check that could not be asked."""
        return cls(name, Status.NOT_AVAILABLE, problem.text, problem.advice, problem.reason.value)


@dataclass(frozen=True, slots=True)
class Left:
    """What the round trip could not clean up.

    Attributes:
        what: What is left, and where.
        command: The command that removes it.
    """

    what: str
    command: str


@dataclass(frozen=True, slots=True)
class RoundTripReport:
    """What the round trip did, besides its checks.

    Attributes:
        events: The correlation IDs of its events; `mep trace` shows them.
        alarms: Names of the alarms that it sets off.
        left: What it could not clean up.
        interrupted: Whether it was interrupted.
    """

    events: tuple[str, ...]
    alarms: tuple[str, ...]
    left: tuple[Left, ...] = ()
    interrupted: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "events": list(self.events),
            "alarms": list(self.alarms),
            "left": [{"what": each.what, "command": each.command} for each in self.left],
            "interrupted": self.interrupted,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a verification.

    Attributes:
        environment: The environment.
        function: The name of the function and its alias.
        region: The region.
        correlation_id: That of the probe; `mep trace` shows it.
        row_written: Whether the reserved row was missing and has been put.
        emulated: Whether an emulator was verified, which need not have every service.
        checks: The results, in order.
        round_trip: What the round trip did; None if none was asked for.
    """

    environment: str
    function: str
    region: str
    correlation_id: str
    row_written: bool
    emulated: bool
    checks: tuple[Check, ...]
    round_trip: RoundTripReport | None = None

    @property
    def status(self) -> Status:
        """The result of all checks together: a failure decides, then what could not be asked."""
        if self.count(Status.FAIL):
            return Status.FAIL
        if any(check.status is Status.NOT_AVAILABLE and not self._is_optional(check) for check in self.checks):
            return Status.NOT_AVAILABLE
        return Status.PASS

    @property
    def exit_status(self) -> ExitStatus:
        """The exit status of the command."""
        statuses = {
            Status.PASS: ExitStatus.DONE,
            Status.FAIL: ExitStatus.FAILED,
            Status.NOT_AVAILABLE: ExitStatus.UNAVAILABLE,
        }
        return statuses[self.status]

    @property
    def is_sent(self) -> bool:
        """Whether the function has answered the probe, so that its correlation ID is known to the function."""
        return any(c.name is CheckName.OUTCOME and c.status is not Status.NOT_AVAILABLE for c in self.checks)

    def count(self, status: Status) -> int:
        """Return the number of checks with a result."""
        return sum(check.status is status for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return {
            "environment": self.environment,
            "function": self.function,
            "region": self.region,
            "correlation_id": self.correlation_id,
            "row_written": self.row_written,
            "status": self.status.value,
            "round_trip": None if self.round_trip is None else self.round_trip.as_json(),
            "checks": [
                {
                    "name": check.name.value,
                    "status": check.status.value,
                    "text": check.text,
                    "advice": check.advice,
                    "reason": check.reason,
                }
                for check in self.checks
            ],
        }

    def _is_optional(self, check: Check) -> bool:
        """Whether an emulator lacks the service; on AWS, what could not be asked is a failure."""
        return self.emulated and check.reason == Reason.NOT_CONFIGURED and check.name in OPTIONAL_CHECKS
