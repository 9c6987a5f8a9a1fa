"""CDK widgets from the definitions of the dashboard."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cw
from aws_cdk import aws_logs as logs

from deploy.stack.metrics import MetricFactory
from monitoring.cost import MEMORY
from monitoring.model import Kind, Line, Section, Widget
from monitoring.queries import QUERIES

_QUERIES = {query.name: query for query in QUERIES}


class Widgets:
    """Creates widgets.

    Args:
        metrics: Creates the metrics that widgets show.
        log_group: What log widgets query.
        alarms: What the alarm widget shows.
        memory_mb: The function's memory, for the cost.
    """

    def __init__(
        self, metrics: MetricFactory, log_group: logs.ILogGroup, alarms: list[cw.IAlarm], memory_mb: int
    ) -> None:
        self._metrics = metrics
        self._log_group = log_group
        self._alarms = alarms
        self._memory_mb = memory_mb

    def section(self, section: Section) -> list[list[cw.IWidget]]:
        """Return the rows of a section: the heading, then its widgets."""
        heading = cw.TextWidget(markdown=f"## {section.question}", width=24, height=1)
        return [[heading], [self._widget(widget) for widget in section.widgets]]

    def _widget(self, widget: Widget) -> cw.IWidget:
        match widget.kind:
            case Kind.ALARMS:
                return cw.AlarmStatusWidget(
                    alarms=self._alarms, title=widget.title, width=widget.width, height=widget.height
                )
            case Kind.LOG:
                lines = _QUERIES[widget.query].text.replace("\n  ", " ").split("\n| ")
                return cw.LogQueryWidget(
                    log_group_names=[self._log_group.log_group_name],
                    query_lines=lines,
                    view=cw.LogQueryVisualizationType.TABLE,
                    title=widget.title,
                    width=widget.width,
                    height=widget.height,
                )
            case Kind.NUMBER:
                return cw.SingleValueWidget(
                    metrics=[self._line(line, widget) for line in widget.lines],
                    set_period_to_time_range=True,
                    title=widget.title,
                    width=widget.width,
                    height=widget.height,
                )
            case _:
                return self._graph(widget)

    def _graph(self, widget: Widget) -> cw.GraphWidget:
        left = [self._line(line, widget) for line in widget.lines if not line.right]
        right = [self._line(line, widget) for line in widget.lines if line.right]
        thresholds = (
            [] if widget.threshold is None else [cw.HorizontalAnnotation(value=widget.threshold, label="alarm")]
        )
        return cw.GraphWidget(
            left=left,
            right=right,
            left_y_axis=cw.YAxisProps(label=widget.unit, min=0, show_units=False),
            left_annotations=thresholds,
            stacked=widget.kind is Kind.STACKED,
            period=cdk.Duration.seconds(widget.period),
            title=widget.title,
            width=widget.width,
            height=widget.height,
        )

    def _line(self, line: Line, widget: Widget) -> cw.IMetric:
        expression = line.expression.replace(MEMORY, str(self._memory_mb))
        return self._metrics.value(line.metrics, expression, widget.period, line.label)
