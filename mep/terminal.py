"""Shows what a run left behind, readable on a terminal of 100 columns."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from mep.local.summary import Summary
from otel.event_types import EventType

WIDTH = 100
_EXPLAINED = {
    "received": "events delivered to the function",
    "marked": "the row is marked and has its audit record",
    "duplicate": "the row was processed before; nothing was written",
    "dead_lettered": "cannot succeed; the event is in the dead-letter queue",
    "retry": "failed at the last try too; Lambda's record is in the dead-letter queue",
    "rejected": "lines that are not JSON; kept in rejected.jsonl",
}
_STYLES = {"marked": "green", "duplicate": "yellow", "dead_lettered": "red", "retry": "red", "rejected": "magenta"}


def console(*, stderr: bool = False) -> Console:
    """Return a console of at most `WIDTH` columns; of exactly so many where there is no terminal to ask."""
    plain = Console(stderr=stderr, highlight=False)
    width = min(plain.width, WIDTH) if plain.is_terminal else WIDTH
    return Console(stderr=stderr, highlight=False, width=width)


def read_jsonl(path: Path) -> Iterator[Any]:
    """Yield the values of a file of JSON lines."""
    with path.open("rb") as file:
        for line in file:
            yield orjson.loads(line)


def escape_control(text: object) -> str:
    """Return `text` with control characters escaped: what came from outside must not steer a terminal."""
    return "".join(
        character if unicodedata.category(character)[0] != "C" else ascii(character)[1:-1] for character in str(text)
    )


def plain_table(*headers: str) -> Table:
    """Return a table of no rows yet, with nothing around it."""
    return Table(*headers, box=box.SIMPLE_HEAD, pad_edge=False)


def outcomes(summary: Summary) -> RenderableType:
    """Return the outcomes of a run as a table."""
    table = plain_table("outcome", "events", "meaning")
    table.columns[1].justify = "right"
    counts = summary.as_dict()
    for name, meaning in _EXPLAINED.items():
        style = _STYLES.get(name, "bold") if counts[name] else "dim"
        table.add_row(Text(name, style), Text(str(counts[name]), style), Text(meaning, "" if counts[name] else "dim"))
    further = summary.invocations - summary.received
    tail = f"{summary.elapsed_s:.1f} s, {summary.spans} spans"
    if further:
        tail += f", {further} further tries"
    return Group(table, Text(tail, "dim"))


def trace(spans: Iterable[dict[str, Any]]) -> RenderableType:
    """Return the spans of one trace as a tree: name, duration, correlation ID, and what happened inside."""
    every = sorted(spans, key=lambda span: int(span["start_time_unix_nano"]))
    ids = {span["span_id"] for span in every}
    children: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for span in every:
        children[span["parent_span_id"] if span["parent_span_id"] in ids else None].append(span)
    tree = Tree(Text(f"trace {every[0]['trace_id']}", "dim") if every else Text("no spans"))
    for root in children[None]:
        _add_span(tree, root, children)
    return tree


def _add_span(tree: Tree, span: dict[str, Any], children: Mapping[str | None, list[dict[str, Any]]]) -> None:
    branch = tree.add(_span_line(span))
    for link in span["links"]:
        branch.add(Text(f"linked to the producer's trace {link['trace_id']}", "magenta"))
    # What happened inside the span and the spans below it, in the order of time.
    inside = [(event["time_unix_nano"], event) for event in span["events"]]
    inside += [(child["start_time_unix_nano"], child) for child in children.get(span["span_id"], ())]
    for _, each in sorted(inside, key=lambda pair: int(pair[0])):
        if "span_id" in each:
            _add_span(branch, each, children)
        else:
            branch.add(_event_line(span, each))


def _event_line(span: dict[str, Any], event: dict[str, Any]) -> Text:
    since_ms = (event["time_unix_nano"] - span["start_time_unix_nano"]) / 1e6
    facts = "  ".join(f"{key}={escape_control(value)}" for key, value in event["attributes"].items())
    return Text.assemble((event["name"], "bold yellow"), f"  at {since_ms:.0f} ms  ", (facts, "yellow"))


def _span_line(span: dict[str, Any]) -> Text:
    attributes = span["attributes"]
    line = Text.assemble(
        (span["name"], "bold red" if span["status"] == "ERROR" else "bold"),
        f"  {span['duration_ms']:.1f} ms",
        ("  correlation_id=", "dim"),
        (escape_control(attributes.get("correlation_id", "(none)")), "cyan"),
    )
    for key in ("outcome", "error_category", "error.type"):
        if key in attributes:
            line.append(f"  {key}=", "dim").append(escape_control(attributes[key]))
    return line


@dataclass(slots=True)
class Metric:
    """One metric over a whole run.

    Attributes:
        unit: CloudWatch's unit.
        values: Every value that was emitted.
    """

    unit: str
    values: list[float] = field(default_factory=list)

    @property
    def total(self) -> float:
        """The sum of the values."""
        return sum(self.values)


def sum_metrics(documents: Iterable[dict[str, Any]]) -> dict[str, Metric]:
    """Read EMF documents as CloudWatch does: each metric once, in its widest dimension (`Environment`)."""
    metrics: dict[str, Metric] = {}
    for document in documents:
        for directive in document["_aws"]["CloudWatchMetrics"]:
            if ["Environment"] not in directive["Dimensions"]:
                continue
            for definition in directive["Metrics"]:
                metric = metrics.setdefault(definition["Name"], Metric(definition.get("Unit", "None")))
                value = document[definition["Name"]]
                metric.values += value if isinstance(value, list) else [value]
    return metrics


def metrics_table(metrics: dict[str, Metric]) -> RenderableType:
    """Return metrics as a table: counts summed, measures with average and maximum."""
    table = plain_table("metric", "unit", "sum", "average", "maximum")
    for column in table.columns[2:]:
        column.justify = "right"
    for name, metric in sorted(metrics.items(), key=lambda item: (item[1].unit != "Count", item[0])):
        if metric.unit == "Count":
            table.add_row(name, "count", f"{metric.total:.0f}", "", "")
        else:
            average = metric.total / len(metric.values)
            table.add_row(name, metric.unit.lower(), "", f"{average:.1f}", f"{max(metric.values):.1f}")
    return table


def attempts_table(lines: Iterable[dict[str, Any]]) -> RenderableType:
    """Return the tries of each event as a table, from the log lines that tell an outcome."""
    table = plain_table("correlation ID", "request ID", "outcomes of its tries")
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        if line.get("event_type") == EventType.EVENT_OUTCOME:
            found[line["request_id"]].append(line)
    for request_id, ended in found.items():
        outcomes = ", then ".join(str(line["outcome"]) for line in ended)
        table.add_row(Text(escape_control(ended[0]["correlation_id"]), "cyan"), request_id, outcomes)
    return table


def platform_table(points: Iterable[dict[str, Any]]) -> RenderableType:
    """Return the platform's metrics as a table: counts summed, measures with their maximum."""
    table = plain_table("namespace", "metric", "sum", "maximum")
    for column in table.columns[2:]:
        column.justify = "right"
    sums: dict[tuple[str, str, str], tuple[float, float]] = {}
    for point in points:
        key = point["namespace"], point["metric"], point["unit"]
        total, highest = sums.get(key, (0, 0))
        sums[key] = total + point["sum"], max(highest, point["maximum"])
    for (namespace, name, unit), (total, highest) in sorted(sums.items()):
        if unit == "Count":
            table.add_row(namespace, name, f"{total:.0f}", "")
        else:
            table.add_row(namespace, name, "", f"{highest:,.0f} ms")
    return table
