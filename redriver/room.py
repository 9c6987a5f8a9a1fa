"""The memory of one run: which messages are held with their events."""

from dataclasses import dataclass, field

from mep.dlq.model import DeadLetter
from redriver.policy import is_candidate


@dataclass
class Room:
    """Takes messages that may be redriven, until there is no room for more.

    Attributes:
        left: Characters of message bodies that can still be taken.
        refused: IDs of the messages that may be redriven, but for which there was no room.
    """

    left: int
    refused: set[str] = field(default_factory=set)

    def __call__(self, dead_letter: DeadLetter) -> bool:
        """Return whether a message is held with its event."""
        if not is_candidate(dead_letter):
            return False
        if len(dead_letter.body) > self.left:
            self.refused.add(dead_letter.message_id)
            return False
        self.left -= len(dead_letter.body)
        return True
