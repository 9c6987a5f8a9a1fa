"""The sentences about a redrive or a discard. All come from one `ActionResult`: counts that are stated add up."""

from collections import Counter
from collections.abc import Iterator

from mep.dlq.model import DeadLetter
from mep.dlq.results import ActionName, ActionResult, MessageState, Returns
from mep.program import program
from mep.text import count_of

INTERRUPTED = "interrupted"
TERMINATED = "terminated"

_PRINTED_IDS = 10
_KEPT = (MessageState.SKIPPED, MessageState.UNVERIFIED)


def counts_sentence(result: ActionResult) -> str:
    """Return what happened to the selected messages, as one sentence; the numbers add up to all of them."""
    counts, total = result.counts, len(result.messages)
    redrive = result.action is ActionName.REDRIVE
    if not total:
        return f"{_opening(result)}no message matches: nothing was {'sent' if redrive else 'discarded'}"
    done = counts[MessageState.SENT if redrive else MessageState.DISCARDED]
    kept = sum(counts[state] for state in _KEPT)
    pending = counts[MessageState.NOT_ATTEMPTED]
    if result.dry_run and not result.stopped:
        what = f"sent to {result.destination}" if redrive else "discarded"
        rest = f", {kept:,} kept" if kept else ""
        return f"{pending:,} of {total:,} would be {what}{rest}; nothing was {'sent' if redrive else 'discarded'}"
    to = f" to {result.destination}" if redrive else ""
    parts = [
        (f"{done:,} of {total:,} sent{to} and deleted" if redrive else f"{done:,} of {total:,} discarded", True),
        (f"{counts[MessageState.NOT_DELETED]:,} sent but perhaps not deleted", counts[MessageState.NOT_DELETED]),
        (
            f"{counts[MessageState.UNCERTAIN]:,} perhaps {'sent' if redrive else 'discarded'}",
            counts[MessageState.UNCERTAIN],
        ),
        (f"{counts[MessageState.FAILED]:,} not accepted", counts[MessageState.FAILED]),
        (f"{counts[MessageState.EXPIRED]:,} expired", counts[MessageState.EXPIRED]),
        (f"{kept:,} kept", kept),
        (f"{pending:,} not attempted", pending),
    ]
    if not done and kept + pending == total:  # no call was made that changes anything
        parts[0] = (f"nothing was sent{to}" if redrive else "nothing was discarded", True)
    return _opening(result) + ", ".join(text for text, shown in parts if shown)


def next_steps(result: ActionResult) -> Iterator[str]:
    """Yield what the operator should know or do, one line each."""
    counts = result.counts
    redrive = result.action is ActionName.REDRIVE
    for message in result.of(MessageState.NOT_DELETED)[:_PRINTED_IDS]:
        yield (
            f"the event of {message.dead_letter.message_id} was accepted, but the message was not deleted: "
            "redriven again, it is delivered twice"
        )
    for message in result.of(MessageState.UNCERTAIN)[:_PRINTED_IDS]:
        name = message.dead_letter.message_id
        if redrive:
            yield (
                f"whether the event of {name} was accepted is not known, so the message was not deleted: "
                "redriven again, it is perhaps delivered twice"
            )
        else:
            yield f"whether {name} was deleted is not known: run the command again"
    if counts[MessageState.EXPIRED]:
        yield (
            f"{count_of(counts[MessageState.EXPIRED], 'message')} exceeded the visibility timeout and may be with "
            "another consumer; run again or raise --visibility"
        )
    pending = counts[MessageState.NOT_ATTEMPTED]
    if pending and result.stopped:
        then = "" if result.stopped in {INTERRUPTED, TERMINATED} else " once the error is resolved"
        yield f"{count_of(pending, 'message')} not attempted, still in the queue: run the same command again{then}"


def watch_hint(result: ActionResult) -> str:
    """Return how to see whether permanent failures that were redriven fail again; empty if there were none."""
    permanent = [message for message in result.of(MessageState.SENT) if not is_transient(message.dead_letter)]
    if not permanent or result.returns is not None or result.stopped:
        return ""
    return (
        "an event whose cause is not fixed returns to the queue within seconds: "
        f"see `{program()} dlq list --newer-than 1m`, or redrive with --wait"
    )


def is_transient(dead_letter: DeadLetter) -> bool:
    """Return whether the failure can pass without a person; one without a category cannot."""
    return dead_letter.category is not None and dead_letter.category.transient


def returns_sentence(returns: Returns) -> str:
    """Return how many events came back as dead letters, and how many did not."""
    within = f"within {returns.waited_s:.0f} s"
    if not returns.expected:
        return "no event was accepted: none can come back"
    if not returns.returned:
        return f"0 of {returns.expected:,} came back as dead letters {within}, {returns.expected:,} did not"
    groups = Counter(dead_letter.group for dead_letter in returns.returned)
    categories = ", ".join(f"{count:,} {name}" for name, count in groups.most_common())
    return (
        f"{len(returns.returned):,} of {returns.expected:,} came back as dead letters {within} ({categories}), "
        f"{returns.not_returned:,} did not"
    )


def _opening(result: ActionResult) -> str:
    if not result.stopped:
        return ""
    return f"{result.stopped if result.stopped in {INTERRUPTED, TERMINATED} else 'stopped'}: "
