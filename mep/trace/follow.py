"""From what a person asks for to one event, or to the several that it may mean.

An exact correlation ID comes first, then any other ID, then a row. The dead-letter queue comes last, and only where no
other source has the outcome: receiving messages makes them invisible to others for a while.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from mep.dlq.model import DeadLetter
from mep.trace.asked import Asked
from mep.trace.bus import envelope_ids
from mep.trace.entries import Entry, SearchResult
from mep.trace.hits import Hit, Observation, hits, observe_dead_letter
from mep.trace.parsing import dead_letter_entry
from mep.trace.sources import Gap, nothing_was_read
from mep.trace.timeline import Timeline, make_timeline


class Search(Protocol):
    """Searches one place: AWS, or the folder of a local run."""

    def find(self, correlation_id: str) -> SearchResult:
        """Return the records of a correlation ID; of the dead-letter queue only where reading has no side effect."""
        ...

    def look_up(self, asked: Asked) -> tuple[list[Observation], tuple[Gap, ...]]:
        """Return the records that have an ID or name a row, and what could not be read; the queue as for `find`."""
        ...

    def find_requests(self, request_ids: Iterable[str]) -> SearchResult:
        """Return what Lambda wrote about the requests of dead letters that `find` does not return."""
        ...

    def find_on_bus(self, ids: Iterable[str]) -> SearchResult:
        """Return the records of the bus's log about envelope IDs of dead letters that `find` does not return."""
        ...

    def dead_letters(self) -> tuple[tuple[DeadLetter, ...], tuple[Gap, ...]]:
        """Return the messages of the dead-letter queue that `find` does not return, and what could not be read."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """What a search led to.

    Attributes:
        timeline: The event; empty if there is none, or more than one.
        hits: The events, the newest first, if there is more than one.
    """

    timeline: Timeline
    hits: tuple[Hit, ...] = ()


def follow(asked: Asked, search: Search, *, queue: bool | None = None) -> Found:
    """Find the event, or the events, of what a person asks for.

    Args:
        asked: What a person asks for.
        search: Where to search.
        queue: Whether to read the dead-letter queue; None reads it if no other source has the outcome.
    """
    result = search.find(asked.id) if asked.id else SearchResult()
    if _beside_bus(result.entries):
        return _event(asked.id, result, search, queue)
    on_bus = result.entries  # the ID of `PutEvents`: the function's records may have another one
    observations: list[Observation] = []
    if not nothing_was_read(result.gaps, with_queue=False):
        observations, gaps = search.look_up(asked)
        result = _with_gaps(result, gaps)
    if queue or not observations:
        in_queue = _with_queue(result, asked.id, search, queue)
        if _beside_bus(in_queue.entries):
            return Found(make_timeline(asked.id, [in_queue]))
        result = in_queue
        if queue is not False:
            observations += [
                each for message in search.dead_letters()[0] for each in observe_dead_letter(message, asked)
            ]
    events = hits(observations)
    if len(events) != 1:
        return Found(make_timeline(asked.text, [result]), tuple(events))
    (event,) = events
    found = _with_gaps(search.find(event.correlation_id), result.gaps)
    found = replace(found, entries=(*found.entries, *(entry for entry in on_bus if entry not in found.entries)))
    return _event(event.correlation_id, replace(found, notes=(event.note(asked.text), *found.notes)), search, queue)


def _event(correlation_id: str, result: SearchResult, search: Search, queue: bool | None) -> Found:
    """Return the timeline of an event, with its dead letters where they are to be read."""
    timeline = make_timeline(correlation_id, [result])
    if queue or (queue is None and not timeline.verdict.is_final):
        return Found(make_timeline(correlation_id, [_with_queue(result, correlation_id, search, queue)]))
    if timeline.verdict.outcome == "dead_lettered" and not any(e.kind == "dead_letter" for e in timeline.entries):
        note = "the dead-letter queue was not read, since the outcome is known: --queue shows the message"
        timeline = replace(timeline, notes=(*timeline.notes, note))
    return Found(timeline)


def _with_queue(result: SearchResult, correlation_id: str, search: Search, queue: bool | None) -> SearchResult:
    """Add the dead letters of a correlation ID, unless they are not to be read."""
    if queue is False:
        return replace(result, queue_was_skipped=True)
    dead_letters, gaps = search.dead_letters()
    entries = [
        dead_letter_entry(dead_letter, result.entries)
        for dead_letter in dead_letters
        if dead_letter.correlation_id and dead_letter.correlation_id == correlation_id
    ]
    # Of a function that was killed in every invocation, the log has Lambda's lines only, without a correlation ID.
    unknown = {entry.request_id for entry in entries} - {entry.request_id for entry in result.entries} - {""}
    invoked = search.find_requests(unknown) if unknown else SearchResult()
    on_bus = search.find_on_bus(envelope_ids(entries) - envelope_ids(result.entries)) if entries else SearchResult()
    found = replace(result, entries=(*result.entries, *invoked.entries, *entries, *on_bus.entries))
    return _with_gaps(found, (*invoked.gaps, *on_bus.gaps, *gaps))


def _beside_bus(entries: Iterable[Entry]) -> bool:
    """Return whether there is another record than those of the bus, which names no correlation ID."""
    return any(entry.kind != "bus" for entry in entries)


def _with_gaps(result: SearchResult, gaps: Iterable[Gap]) -> SearchResult:
    return replace(result, gaps=tuple(dict.fromkeys((*result.gaps, *gaps))))
