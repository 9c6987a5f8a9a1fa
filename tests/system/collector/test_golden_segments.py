"""What X-Ray's exporter makes of the committed spans, and of the spans of every export mode."""

import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

import pytest

from tests.support.golden_trace import REGENERATE, SEGMENTS, SPANS, golden_segments, load, made_from, save
from tests.system.collector.collector import AWS_EXPORTERS
from tests.system.collector.conftest import (
    COLLECTOR,
    DIRECT,
    FAST_START,
    FULL,
    Exported,
    accepting,
    post,
    segment_documents,
)
from tests.system.collector.otlp import otlp_spans

ANY_AGE = "exporter.awsxray.skiptimestampvalidation"
"""The feature gate that admits trace IDs of any age; X-Ray itself takes none of more than 30 days."""

_OF_THE_LAYER = {
    r"metadata/default/otel\.resource\.aws\.log\.group\.names.*": "its wrapper sets a text, which has the same effect",
    r"metadata/default/otel\.resource\.faas\.max_memory": "it is not in ADOT's resource",
}
DIFFERENCES: Mapping[str, Mapping[str, str]] = {
    DIRECT: {},
    COLLECTOR: {},
    FAST_START: {**_OF_THE_LAYER, r"links/.*": "ADOT's fast start drops links; `linked_trace_id` has the trace"},
    FULL: {
        **_OF_THE_LAYER,
        r"metadata/default/aws\.(auth\.region|sqs\.queue\.url)": "ADOT's own attributes",
        r"metadata/default/otel\.resource\.(aws\.local\.service|service\.instance\.id|telemetry\.auto\.version)": (
            "of ADOT's resource"
        ),
    },
}
"""Where a segment of a mode may differ from the golden one, and why."""


@pytest.fixture(scope="module")
def made(binaries: None, request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the exporter makes of the committed spans."""
    with accepting(b'{"UnprocessedTraceSegments": []}') as xray:
        with AWS_EXPORTERS.running({}, f"exporters.awsxray.endpoint={xray.url}", gates=ANY_AGE) as endpoint:
            post(f"{endpoint}/v1/traces", otlp_spans(load(SPANS)), "application/json")
        documents = segment_documents(xray)

    content = {"made_from": made_from(), "segments": golden_segments(documents, {})}
    if request.config.getoption("--update-golden"):
        save(SEGMENTS, content)
    return content


def test_the_committed_segments_are_made_of_the_committed_spans(made: Mapping[str, Any]) -> None:
    assert made == load(SEGMENTS), REGENERATE


@pytest.mark.parametrize("mode", DIFFERENCES)
def test_every_mode_makes_these_segments(exported: Mapping[str, Exported], made: Mapping[str, Any], mode: str) -> None:
    golden, of_mode = made["segments"], exported[mode].segments

    assert [each["name"] for each in of_mode] == [each["name"] for each in golden]
    found = {place for pair in zip(golden, of_mode, strict=True) for place in _differences(*pair)}
    assert {place for place in found if not any(re.fullmatch(each, place) for each in DIFFERENCES[mode])} == set()


def _differences(golden: Any, made: Any, place: str = "") -> Iterator[str]:
    """Yield where two JSON values differ, as a path."""
    if isinstance(golden, dict) and isinstance(made, dict):
        for name in golden.keys() | made.keys():
            yield from _differences(golden.get(name), made.get(name), f"{place}/{name}")
    elif isinstance(golden or made, list) and isinstance(made or golden, list):
        for number, (first, second) in enumerate(zip_longest(golden or [], made or [])):
            yield from _differences(first, second, f"{place}/{number}")
    elif golden != made:
        yield place.removeprefix("/")
