"""The tables of docs/cost.md, computed: `python -m tests.docs.cost` writes them into the page.

A test compares them. What is counted comes from the definitions of alarms and metrics (`tests/system/deploy` compares
these with the templates), from the audit entry that the function writes, and from the image's recorded size. Prices are
list prices of us-east-1 in US dollars; `(a)` marks an assumption, also a price that is from memory.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.environment import PROJECT_ROOT
from handler.calendar_store import CalendarStore
from handler.errors import ErrorCategory
from handler.event import ValidEvent
from handler.outcome import INSTRUMENTATION
from monitoring.alarms import EVERY_ALARM, alarms, composites
from monitoring.cost import GB_SECOND, REQUEST, WRITE_UNIT, WRITE_UNITS
from monitoring.model import Level, Limits
from monitoring.operator_metrics import AUTOMATIC_METRICS
from monitoring.operator_metrics import METRICS as OPERATORS_METRICS
from tests.support.telemetry import event_record
from tests.unit.handler.harness import settings

PAGE = PROJECT_ROOT / "docs" / "cost.md"

MILLION = 1_000_000
GB = 1e9
DAYS = 30

METRIC = 0.30
ALARM_METRIC = 0.10
COMPOSITE_ALARM = 0.50
DASHBOARD = 3.00
TABLE_GB = 0.25
RECOVERY_GB = 0.20
IMAGE_GB = 0.10
KMS_REQUEST = 0.03 / 10_000

SNAPSHOT_GB_SECOND = 0.0000015046
RESTORED_GB = 0.0001397998

GB_OF_MEMORY = 0.125
EVENT_SECONDS = 0.020
INIT_SECONDS = 2.5
"""At 128 MB, as in docs/cost.md."""
INDEX_OVERHEAD_BYTES = 100
"""DynamoDB stores as many bytes more for each item of a table and of an index."""
LOG_BYTES = 600 + 695 + 900
BUS_LOG_BYTES = 1500 + 3 * 100
"""Of three records in `bus.jsonl`, and what AWS adds to each: a request ID and further durations."""
HOURS_A_DAY = 2
"""In which events arrive, and metrics have values."""
EVERY_RUN = ("DeadLettersSeen", "DeadLettersLeft", "OldestDeadLetterAge")
"""Metrics that the automatic redrive writes in every run, and so in every hour."""
VERSIONS = 10
BASE_IMAGE_GB = 0.2


@dataclass(frozen=True, slots=True)
class Counts:
    """What is billed by the month whether there are events or not.

    Attributes:
        alarms: Metric alarms.
        alarm_metrics: The metrics that they evaluate.
        composites: Composite alarms.
        dashboards: Dashboards.
        automatic: Whether there is an automatic redrive.
    """

    alarms: int
    alarm_metrics: int
    composites: int
    dashboards: int
    automatic: bool = True

    @property
    def dollars_of_alarms(self) -> float:
        """Return what the alarms cost in a month."""
        return self.alarm_metrics * ALARM_METRIC + self.composites * COMPOSITE_ALARM


def defined(limits: Limits = EVERY_ALARM, level: Level = Level.FULL, *, automatic: bool = True) -> Counts:
    """Count the definitions.

    Not among them are the alarms that only the stack defines: failing-version with one metric, auto-redrive-failures
    with two.

    Args:
        limits: What the set of alarms depends on.
        level: How much is monitored.
        automatic: Whether there is an automatic redrive.
    """
    every = alarms(limits, level)
    metrics = sum(len(alarm.metrics) for alarm in every) + 1 + 2 * automatic
    return Counts(len(every) + 1 + automatic, metrics, len(composites(level)), dashboards=1, automatic=automatic)


def in_template(resources: Mapping[str, Mapping[str, Any]]) -> Counts:
    """Count the resources of a template."""

    def of(kind: str) -> list[Any]:
        return [each["Properties"] for each in resources.values() if each["Type"] == f"AWS::CloudWatch::{kind}"]

    metrics = [sum("MetricStat" in each for each in alarm.get("Metrics", ())) or 1 for alarm in of("Alarm")]
    automatic = any(name.startswith("AutoRedrive") for name in resources)
    return Counts(len(metrics), sum(metrics), len(of("CompositeAlarm")), len(of("Dashboard")), automatic)


def environments() -> dict[str, Counts]:
    """Return the rows of the table by environment, as their files are shipped."""
    return {
        "`dev`": defined(level=Level.MINIMAL, automatic=False),
        "`staging`": defined(Limits()),
        "`prod`": defined(),
    }


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: what is billed, how much of it, at which price."""

    item: str
    count: str
    price: str
    dollars: float


def per_million() -> list[Row]:
    """Return what a million events cost."""
    seconds = GB_OF_MEMORY * EVENT_SECONDS * MILLION
    log = LOG_BYTES * MILLION / GB
    bus_log = BUS_LOG_BYTES * MILLION / GB
    return [
        Row("Lambda, requests", f"{MILLION:,}", "0.20 per million", MILLION * REQUEST),
        Row(
            "Lambda, time on arm64",
            f"{GB_OF_MEMORY} GB x {EVENT_SECONDS:.3f} s (a) x {MILLION:,} = {seconds:,.0f} GB-s",
            f"{GB_SECOND:.10f} per GB-s",
            seconds * GB_SECOND,
        ),
        Row(
            "DynamoDB, on demand",
            f"{WRITE_UNITS} write units each: row 2, audit entry 2 (a transaction counts twice), its index 1",
            f"{WRITE_UNIT * MILLION:.3f} per million units",
            WRITE_UNITS * MILLION * WRITE_UNIT,
        ),
        Row("EventBridge, events put", f"{MILLION:,}", "1.00 per million", 1.00),
        Row("EventBridge, archive", "0.5 GB (a)", "0.10 per GB, and 0.023 per GB and month", 0.5 * 0.123),
        Row(
            "CloudWatch Logs",
            f"log line 600 bytes, metric line 695, Lambda's own 900 (a): {log:.2f} GB",
            "0.50 per GB",
            log * 0.50,
        ),
        Row(
            "CloudWatch Logs, log of the bus",
            f"3 records, together {BUS_LOG_BYTES:,} bytes (a): {bus_log:.2f} GB",
            "0.50 per GB",
            bus_log * 0.50,
        ),
        Row("X-Ray without Transaction Search, 5 % of the traces (a)", "50,000", "5.00 per million", 0.25),
        Row("SQS", "failed events only", "0.40 per million", 0.0),
    ]


def per_million_in_special_cases() -> list[Row]:
    """Return what is added to a million events where it applies."""
    seconds = GB_OF_MEMORY * INIT_SECONDS * MILLION
    return [
        Row(
            "Lambda, if every event is a cold start",
            f"{GB_OF_MEMORY} GB x {INIT_SECONDS} s = {seconds:,.0f} GB-s",
            f"{GB_SECOND:.10f} per GB-s",
            seconds * GB_SECOND,
        ),
        Row(
            "DynamoDB, each further index of the calendar that has the changed attributes",
            "1 write unit each",
            f"{WRITE_UNIT * MILLION:.3f} per million units",
            MILLION * WRITE_UNIT,
        ),
    ]


def snapstart() -> list[Row]:
    """Return what SnapStart costs."""
    seconds = GB_OF_MEMORY * DAYS * 24 * 3600
    restored = GB_OF_MEMORY * MILLION
    return [
        Row(
            "cache of a snapshot, for each version and month",
            f"{GB_OF_MEMORY} GB x {DAYS} days = {seconds:,.0f} GB-s",
            f"{SNAPSHOT_GB_SECOND:.10f} per GB-s",
            seconds * SNAPSHOT_GB_SECOND,
        ),
        Row(
            f"cache of {VERSIONS} versions, a month",
            f"{VERSIONS} x {seconds:,.0f} GB-s",
            f"{SNAPSHOT_GB_SECOND:.10f} per GB-s",
            VERSIONS * seconds * SNAPSHOT_GB_SECOND,
        ),
        Row(
            "restores, if each of 1,000,000 events is a cold start",
            f"{GB_OF_MEMORY} GB x {MILLION:,} = {restored:,.0f} GB",
            f"{RESTORED_GB:.10f} per GB",
            restored * RESTORED_GB,
        ),
    ]


def kept() -> list[Row]:
    """Return what is stored costs in a month."""
    size = entry_bytes()
    stored = (size + INDEX_OVERHEAD_BYTES) * MILLION / GB
    recorded = json.loads((PROJECT_ROOT / "tests/system/image/baseline.json").read_text(encoding="utf-8"))
    version = recorded["image_mb_over_base"]["value"] / 1000
    images = BASE_IMAGE_GB + VERSIONS * version
    return [
        Row(
            "audit table",
            f"{size} bytes, and {INDEX_OVERHEAD_BYTES} of DynamoDB's: {stored:.2f} GB",
            "0.25 per GB",
            stored * TABLE_GB,
        ),
        Row("its index, which has a copy of each entry", f"{stored:.2f} GB", "0.25 per GB", stored * TABLE_GB),
        Row("its point-in-time recovery", f"{stored:.2f} GB", "0.20 per GB", stored * RECOVERY_GB),
        Row(
            "images in ECR",
            f"base image {BASE_IMAGE_GB} GB (a) once, {VERSIONS} versions of {version:.3f} GB (a): {images:.2f} GB",
            "0.10 per GB",
            images * IMAGE_GB,
        ),
    ]


def idle(counts: Counts) -> list[Row]:
    """Return what an environment costs in a month if each metric has a value in each hour."""
    own, categories = len(INSTRUMENTATION.metrics), len(ErrorCategory)
    automatic = len(AUTOMATIC_METRICS) + categories + 1  # and UNCLASSIFIED
    return [
        Row(
            "metrics of the function",
            f"at most {own + categories}: {own}, and {categories} categories of `Errors`",
            f"{METRIC:.2f}",
            (own + categories) * METRIC,
        ),
        Row(
            "metrics of `mep dlq`",
            f"at most {len(OPERATORS_METRICS)}",
            f"{METRIC:.2f}",
            len(OPERATORS_METRICS) * METRIC,
        ),
        Row(
            "metrics of the automatic redrive",
            f"at most {automatic}: {len(AUTOMATIC_METRICS)}, and the age by {categories + 1} categories",
            f"{METRIC:.2f}",
            automatic * METRIC,
        ),
        Row(
            "metric alarms, billed by the metrics that they evaluate",
            f"{counts.alarms} alarms, {counts.alarm_metrics} metrics",
            f"{ALARM_METRIC:.2f}",
            counts.alarm_metrics * ALARM_METRIC,
        ),
        Row("composite alarms", str(counts.composites), f"{COMPOSITE_ALARM:.2f}", counts.composites * COMPOSITE_ALARM),
        Row("dashboard", str(counts.dashboards), f"{DASHBOARD:.2f}", counts.dashboards * DASHBOARD),
    ]


def month(counts: Counts, events_a_day: int) -> tuple[float, ...]:
    """Return what a month costs with so many events a day: alarms, dashboard, metrics, keys and images, events."""
    events = events_a_day * DAYS
    metrics = (len(INSTRUMENTATION.metrics) + len(ErrorCategory)) * METRIC * HOURS_A_DAY / 24
    metrics += counts.automatic * len(EVERY_RUN) * METRIC
    # DynamoDB asks for the key of a table in use every five minutes.
    keys = 2 * HOURS_A_DAY * 12 * DAYS * KMS_REQUEST
    each = (sum(row.dollars for row in per_million()) + per_million_in_special_cases()[0].dollars) / MILLION
    return (
        counts.dollars_of_alarms,
        counts.dashboards * DASHBOARD,
        metrics,
        keys + kept()[-1].dollars,
        events * each,
    )


def entry_bytes() -> int:
    """Return the size of an audit entry as DynamoDB counts it, with IDs as AWS makes them."""
    uuid = "6a7e8feb-b491-4cf7-a9f1-bf3703467718"
    event = ValidEvent({"asset_symbol": "AAPL", "earnings_date": "2025-07-31"}, uuid, None)
    record = event_record(correlation_id=uuid, request_id=uuid, trace_id="5759e988bd862e3fe1be46a994272793")
    client: Any = None  # nothing is sent
    store = CalendarStore(client, settings(AWS_LAMBDA_FUNCTION_VERSION="42"))
    _, put = store.transaction(event, record)["TransactItems"]
    return sum(len(name) + len(value["S"]) for name, value in put["Put"]["Item"].items())


def lines() -> dict[str, list[str]]:
    """Return the lines of each table below its heading, by the heading's line."""
    prices = {
        "| item | count for 1,000,000 events | price | dollars |": per_million(),
        "| added to 1,000,000 events | count | price | dollars |": per_million_in_special_cases(),
        "| item | signals of 1,000,000 events | price | dollars |": [
            Row("signals", "2,000,000", "1.50 per million (a)", 3.0)
        ],
        "| stored for a month, with 1,000,000 audit entries | count | price | dollars |": kept(),
        "| item | count | price | dollars |": idle(defined()),
    }
    tables = {heading: list(_priced(rows, total="added" not in heading)) for heading, rows in prices.items()}
    tables["| environment | alarms | dashboard | metrics | keys, images | 10 a day | 50 a day | **together** |"] = [
        _monthly(name, counts) for name, counts in environments().items()
    ]
    tables["| with SnapStart | count | price | dollars |"] = list(_priced(snapstart(), total=False))
    return tables


def regenerate(text: str) -> str:
    """Return the page with the computed rows.

    Raises:
        ValueError: The page lacks a table.
    """
    for heading, rows in lines().items():
        found = re.findall(rf"^{re.escape(heading)}\n\|---.*\n((?:\|.*\n)+)", text, re.MULTILINE)
        if len(found) != 1:
            raise ValueError(f"docs/cost.md has no single table {heading}")
        before, _, after = text.partition(f"{heading}\n")
        text = f"{before}{heading}\n{after.replace(found[0], ''.join(f'{row}\n' for row in rows), 1)}"
    return text


def _monthly(name: str, counts: Counts) -> str:
    low, high = ([_cents(each) for each in month(counts, events_a_day)] for events_a_day in (10, 50))
    *fixed, few = low
    together = f"**{sum(low):.2f} to {sum(high):.2f}**"
    return _cells(name, *(f"{each:.2f}" for each in (*fixed, few, high[-1])), together)


def _priced(rows: Sequence[Row], *, total: bool) -> Iterator[str]:
    for row in rows:
        yield _cells(row.item, row.count, row.price, f"{_cents(row.dollars):.2f}")
    if total:
        yield _cells("**together**", "", "", f"**{sum(_cents(row.dollars) for row in rows):.2f}**")


def _cents(dollars: float) -> float:
    """Return dollars rounded to cents, a half upwards."""
    return round(dollars + 1e-9, 2)


def _cells(*cells: str) -> str:
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


if __name__ == "__main__":
    PAGE.write_text(regenerate(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
