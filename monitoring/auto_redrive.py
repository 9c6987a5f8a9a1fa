"""The alarm on the automatic redrive. It is not among `monitoring.alarms`: only a stack that has one makes it."""

from monitoring.alarms import AUTO_REDRIVE_FAILURES, AUTO_REDRIVE_SEVERITY
from monitoring.model import MINUTE, Alarm, Metric, Source


def auto_redrive_failures(minutes: int) -> Alarm:
    """Return the alarm. Its period has two runs, so that it stays in ALARM between them.

    Args:
        minutes: The time between two runs.
    """
    return Alarm(
        name=AUTO_REDRIVE_FAILURES,
        summary="The automatic redrive failed, or it has sent an event three times and left it for a person.",
        # The errors are those of the automatic redrive's own function.
        metrics={
            "failed": Metric("Errors", Source.LAMBDA),
            "left": Metric("DeadLettersLeft", statistic="Maximum"),
        },
        expression="FILL(failed,0)+FILL(left,0)",
        threshold=0,
        period=2 * minutes * MINUTE,
        within=1,
        severity=AUTO_REDRIVE_SEVERITY,
    )
