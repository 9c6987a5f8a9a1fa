"""The spans of an event as trees, and which of them is the span of an invocation."""

from collections.abc import Iterable, Iterator
from itertools import takewhile

from mep.trace.entries import Entry

FUNCTION_SEGMENT = "AWS::Lambda::Function"
"""The origin of Lambda's own X-Ray segment of one invocation.

https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
"""


class SpanTree:
    """Spans by ID.

    Args:
        spans: The spans, in any order.

    Attributes:
        spans: The spans by span ID.
    """

    def __init__(self, spans: Iterable[Entry]) -> None:
        self.spans = {span.span_id: span for span in spans}
        self._below = self._functions_below()

    def root(self, span: Entry) -> Entry | None:
        """Return the span of the invocation that a span belongs to; None for Lambda's span of several invocations.

        That is the function's topmost span. Where there is none, it is Lambda's segment of the invocation.
        """
        if span.writer == "function":
            return self._top(span)
        for ancestor in self._upwards(span):
            if ancestor.attributes.get("origin") == FUNCTION_SEGMENT:
                below = self._below.get(ancestor.span_id, [])
                if not below:
                    return ancestor
                return below[0] if len(below) == 1 else None
        return None

    def depth(self, span_id: str) -> int:
        """Return the nesting depth of a span: the number of its ancestors that are known."""
        return sum(1 for _ in self._upwards(self.spans[span_id])) - 1

    def _top(self, span: Entry) -> Entry:
        """Return the topmost of the function's spans around a span."""
        own = takewhile(lambda ancestor: ancestor.writer == "function", self._upwards(span))
        return list(own)[-1]

    def _upwards(self, span: Entry) -> Iterator[Entry]:
        """Yield a span and its ancestors; IDs may refer to anything, even to the span itself."""
        seen: set[str] = set()
        current: Entry | None = span
        while current is not None and current.span_id not in seen:
            yield current
            seen.add(current.span_id)
            current = self.spans.get(current.parent_id)

    def _functions_below(self) -> dict[str, list[Entry]]:
        """Return the function's topmost spans below each of Lambda's segments of an invocation."""
        below: dict[str, list[Entry]] = {}
        for span in self.spans.values():
            if span.writer != "function" or self._top(span) is not span:
                continue
            for ancestor in self._upwards(span):
                if ancestor.attributes.get("origin") == FUNCTION_SEGMENT:
                    below.setdefault(ancestor.span_id, []).append(span)
                    break
        return below
