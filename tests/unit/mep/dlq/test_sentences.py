"""The sentences about a redrive or a discard: their numbers add up, whatever happened."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import ErrorCategory
from mep.dlq.json_output import result_json
from mep.dlq.model import DeadLetter, DeadLetterSource
from mep.dlq.queue import QueueSnapshot
from mep.dlq.results import ActionName, ActionResult, MessageResult, MessageState, Recorder, Returns
from mep.dlq.sentences import counts_sentence, next_steps, returns_sentence, watch_hint

ONLY_REDRIVE = {MessageState.SENT, MessageState.NOT_DELETED}
ONLY_DISCARD = {MessageState.DISCARDED}


def dead_letter(number: int, category: ErrorCategory | None = ErrorCategory.TIMEOUT) -> DeadLetter:
    return DeadLetter(f"m-{number:03d}", DeadLetterSource.RULE, "", category=category)


def result_of(*states: MessageState, action: ActionName = ActionName.REDRIVE, **more: object) -> ActionResult:
    messages = tuple(MessageResult(dead_letter(number), state) for number, state in enumerate(states))
    destination = "bus:earnings" if action is ActionName.REDRIVE else ""
    return ActionResult(action, destination, messages, **more)  # type: ignore[arg-type] # the tests' own keywords


@st.composite
def results(draw: st.DrawFn) -> ActionResult:
    action = draw(st.sampled_from(ActionName))
    excluded = ONLY_DISCARD if action is ActionName.REDRIVE else ONLY_REDRIVE
    states = [state for state in MessageState if state not in excluded]
    stopped = draw(st.sampled_from(["", "interrupted", "terminated", "the queue cannot be used"]))
    return result_of(*draw(st.lists(st.sampled_from(states), max_size=30)), action=action, stopped=stopped)


@given(results())
def test_the_numbers_add_up(result: ActionResult) -> None:
    counts = result.counts
    assert list(counts) == list(MessageState)
    assert sum(counts.values()) == len(result.messages)

    sentence = counts_sentence(result)
    if not result.messages:
        assert "no message matches: nothing was" in sentence
        return
    parts = [int(number) for number in re.findall(r"(?:^|: |, )([0-9,]+)(?= (?!of))", sentence)]
    total = re.search(r"([0-9]+) of ([0-9]+)", sentence)
    done = int(total[1]) if total else 0
    assert done + sum(parts) == len(result.messages) == (int(total[2]) if total else sum(parts)), sentence
    assert " 0 " not in sentence.removeprefix("stopped: ").partition(",")[2]


@given(results())
def test_json_has_the_same_numbers(result: ActionResult) -> None:
    found = json.loads(result_json(result, QueueSnapshot((), 0, 0, own_redrive_policy=False), [], []))

    assert found["selected"] == sum(found["counts"].values()) == len(found["messages"])
    for state in MessageState:
        assert found["counts"][state] == sum(message["state"] == state for message in found["messages"])


@given(results())
def test_what_remains_to_do_is_said(result: ActionResult) -> None:
    lines = list(next_steps(result))

    assert any("run the same command again" in line for line in lines) == bool(
        result.stopped and result.counts[MessageState.NOT_ATTEMPTED]
    )
    for state in (MessageState.UNCERTAIN, MessageState.NOT_DELETED):
        for message in result.of(state)[:10]:
            assert any(message.dead_letter.message_id in line for line in lines)
    assert result.complete <= (not lines)


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (result_of(), "no message matches: nothing was sent"),
        (result_of(MessageState.SKIPPED), "nothing was sent to bus:earnings, 1 kept"),
        (
            result_of(MessageState.SENT, MessageState.SKIPPED, MessageState.FAILED),
            "1 of 3 sent to bus:earnings and deleted, 1 not accepted, 1 kept",
        ),
        (
            result_of(
                MessageState.SENT, MessageState.UNCERTAIN, *[MessageState.NOT_ATTEMPTED] * 1200, stopped="interrupted"
            ),
            "interrupted: 1 of 1,202 sent to bus:earnings and deleted, 1 perhaps sent, 1,200 not attempted",
        ),
        (
            result_of(MessageState.NOT_ATTEMPTED, stopped="terminated"),
            "terminated: nothing was sent to bus:earnings, 1 not attempted",
        ),
        (
            result_of(MessageState.NOT_ATTEMPTED, MessageState.SKIPPED, dry_run=True),
            "1 of 2 would be sent to bus:earnings, 1 kept; nothing was sent",
        ),
        (
            result_of(MessageState.DISCARDED, MessageState.UNCERTAIN, action=ActionName.DISCARD, stopped="no answer"),
            "stopped: 1 of 2 discarded, 1 perhaps discarded",
        ),
        (
            result_of(MessageState.SKIPPED, action=ActionName.DISCARD),
            "nothing was discarded, 1 kept",
        ),
    ],
)
def test_the_sentences(result: ActionResult, sentence: str) -> None:
    assert counts_sentence(result) == sentence


def test_events_that_come_back() -> None:
    returned = (dead_letter(1, ErrorCategory.NOT_FOUND), dead_letter(2, ErrorCategory.NOT_FOUND), dead_letter(3))

    assert returns_sentence(Returns(6, returned, 59.9)) == (
        "3 of 6 came back as dead letters within 60 s (2 not_found, 1 timeout), 3 did not"
    )
    assert returns_sentence(Returns(6, (), 60)) == "0 of 6 came back as dead letters within 60 s, 6 did not"
    assert returns_sentence(Returns(0, (), 0)) == "no event was accepted: none can come back"
    assert result_of(MessageState.SENT, returns=Returns(1, (), 60)).complete
    assert not result_of(MessageState.SENT, returns=Returns(1, returned[:1], 60)).complete


@pytest.mark.parametrize(
    ("category", "hint"), [(ErrorCategory.NOT_FOUND, True), (None, True), (ErrorCategory.TIMEOUT, False)]
)
def test_a_forced_redrive_says_how_to_watch(category: ErrorCategory | None, hint: bool) -> None:
    recorder = Recorder(ActionName.REDRIVE, [message := dead_letter(1, category)], "bus:earnings")
    recorder.set(message, MessageState.SENT)

    assert bool(watch_hint(recorder.result())) is hint
    recorder.returns = Returns(1, (), 60)
    assert watch_hint(recorder.result()) == ""
