"""The files of a run as tables and trees, for terminals."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from mep.dlq.sources import read_line
from mep.local.summary import Summary
from mep.terminal import plain_table
from mep.text import escape_control
from otel.event_types import EventType

_MEANINGS = {
    "received": "events delivered to the function",
    "marked": "the row is marked and has its audit entry",
    "duplicate": "the row was marked before; nothing was written",
    "dead_lettered": "permanent failure; the function sent the event to the dead-letter queue",
    "retry": "given up after the last attempt; its record is in the dead-letter queue",
    "rejected": "lines that are not JSON; written to rejected.jsonl",
}
_STYLES = {"marked": "green", "duplicate": "yellow", "dead_lettered": "red", "retry": "red", "rejected": "magenta"}


def outcomes_table(summary: Summary) -> RenderableType:
    """Return the outcomes of a run as a table."""
    table = plain_table("outcome", "events", "meaning")
    table.columns[1].justify = "right"
    counts = summary.as_dict()
    for name, meaning in _MEANINGS.items():
        style = _STYLES.get(name, "bold") if counts[name] else "dim"
        table.add_row(Text(name, style), Text(str(counts[name]), style), Text(meaning, "" if counts[name] else "dim"))
    footer = f"{summary.elapsed_s:.1f} s, {summary.spans} spans"
    if summary.tries_raised:
        footer += f", {summary.tries_raised} of {summary.invocations} attempts raised (`retry` counts events)"
    if summary.rejected_rows:
        footer += f", {summary.rejected_rows} calendar rows rejected"
    return Group(table, Text(footer, "dim"))


def trace_tree(spans: Iterable[dict[str, Any]]) -> RenderableType:
    """Return the spans of one trace as a tree, each with its duration, correlation ID and events."""
    ordered = sorted(spans, key=lambda span: int(span["start_time_unix_nano"]))
    ids = {span["span_id"] for span in ordered}
    children: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for span in ordered:
        children[span["parent_span_id"] if span["parent_span_id"] in ids else None].append(span)
    tree = Tree(Text(f"trace {ordered[0]['trace_id']}", "dim") if ordered else Text("no spans"))
    for root in children[None]:
        _add_span(tree, root, children)
    return tree


def _add_span(tree: Tree, span: dict[str, Any], children: Mapping[str | None, list[dict[str, Any]]]) -> None:
    branch = tree.add(_span_line(span))
    for link in span["links"]:
        branch.add(Text(f"linked to the producer's trace {link['trace_id']}", "magenta"))
    # Events and child spans in the order of time.
    parts = [(int(event["time_unix_nano"]), event) for event in span["events"]]
    parts += [(int(child["start_time_unix_nano"]), child) for child in children.get(span["span_id"], ())]
    for _, part in sorted(parts, key=lambda pair: pair[0]):
        if "span_id" in part:
            _add_span(branch, part, children)
        else:
            branch.add(_event_line(span, part))


def _event_line(span: dict[str, Any], event: dict[str, Any]) -> Text:
    offset_ms = (event["time_unix_nano"] - span["start_time_unix_nano"]) / 1e6
    attributes = "  ".join(f"{key}={escape_control(value)}" for key, value in event["attributes"].items())
    return Text.assemble((event["name"], "bold yellow"), f"  at {offset_ms:.0f} ms  ", (attributes, "yellow"))


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
        values: Every emitted value.
    """

    unit: str
    values: list[float] = field(default_factory=list)

    @property
    def total(self) -> float:
        """The sum of the values."""
        return sum(self.values)


def sum_metrics(documents: Iterable[dict[str, Any]]) -> dict[str, Metric]:
    """Return the metrics of EMF documents by name, each in its widest dimension set (`Environment`)."""
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
    """Return metrics as a table: sums of counts, average and maximum of the others."""
    table = _numbers_table("metric", "unit", "sum", "average", "maximum", text_columns=2)
    for name, metric in sorted(metrics.items(), key=lambda item: (item[1].unit != "Count", item[0])):
        if metric.unit == "Count":
            table.add_row(name, "count", f"{metric.total:.0f}", "", "")
        else:
            average = metric.total / len(metric.values)
            table.add_row(name, metric.unit.lower(), "", f"{average:.1f}", f"{max(metric.values):.1f}")
    return table


def attempts_table(lines: Iterable[dict[str, Any]]) -> RenderableType:
    """Return the outcomes of each event's attempts as a table, from the log lines with an outcome."""
    table = plain_table("correlation ID", "request ID", "outcomes of its attempts")
    by_request: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        if line.get("event_type") == EventType.EVENT_OUTCOME:
            by_request[line["request_id"]].append(line)
    for request_id, attempts in by_request.items():
        outcomes = ", then ".join(str(line["outcome"]) for line in attempts)
        table.add_row(Text(escape_control(attempts[0]["correlation_id"]), "cyan"), request_id, outcomes)
    return table


def platform_table(points: Iterable[dict[str, Any]]) -> RenderableType:
    """Return the platform's metrics as a table: sums of counts, the maximum of the others."""
    table = _numbers_table("namespace", "metric", "sum", "maximum", text_columns=2)
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


def dead_letters_table(lines: Iterable[dict[str, Any]]) -> RenderableType:
    """Return the lines of `dlq.jsonl` as a table."""
    table = plain_table("category", "correlation ID", "why")
    for dead_letter in map(read_line, lines):
        table.add_row(
            Text(escape_control(dead_letter.group), "red"),
            Text(escape_control(dead_letter.correlation_id or ""), "cyan"),
            Text(escape_control(dead_letter.message or dead_letter.code)),
        )
    return table


def _numbers_table(*headers: str, text_columns: int) -> Table:
    table = plain_table(*headers)
    for column in table.columns[text_columns:]:
        column.justify = "right"
    return table
