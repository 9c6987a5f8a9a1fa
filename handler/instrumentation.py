"""What `otel` is given about this function."""

from handler import contract
from handler.errors import ErrorCategory
from handler.outcome import OUTCOME_TELEMETRY, OutcomeKind
from otel.instrumentation import Instrumentation, Timeout

DEADLINE_EXCEEDED = "DeadlineExceeded"
"""Error code of an event that reached the deadline."""

INSTRUMENTATION = Instrumentation(
    namespace=contract.DISPLAY_NAME,
    scope=contract.FUNCTION_NAME,
    subject_keys=tuple(contract.KEY_FIELDS),
    outcomes=OUTCOME_TELEMETRY,
    timeout=Timeout(OutcomeKind.RETRY.value, ErrorCategory.TIMEOUT.value, DEADLINE_EXCEEDED),
)
