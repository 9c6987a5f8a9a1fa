"""The sums in `docs/cost.md`, and the counts in it that come from the code."""

from emulator.environment import PROJECT_ROOT
from handler.errors import ErrorCategory
from handler.outcome import INSTRUMENTATION
from monitoring.alarms import COMPOSITES, alarms
from monitoring.cost import GB_SECOND, REQUEST, WRITE_UNIT, WRITE_UNITS
from monitoring.model import Limits
from monitoring.operator_metrics import METRICS as OPERATORS_METRICS
from tests.docs.markdown import tables

TEXT = (PROJECT_ROOT / "docs" / "cost.md").read_text(encoding="utf-8")
TABLES = [rows for _, rows in tables(TEXT)]


def test_sums() -> None:
    for rows in TABLES:
        *parts, total = [float(row[-1].strip("* ")) for row in rows]
        assert round(sum(parts), 2) == total


def test_prices_equal_those_of_the_dashboard() -> None:
    by_the_million = {row[0]: row for row in TABLES[0]}
    assert float(by_the_million["Lambda, requests"][-1]) == round(1e6 * REQUEST, 2)
    assert float(by_the_million["Lambda, time on arm64"][-1]) == round(2500 * GB_SECOND, 2)
    assert f"{GB_SECOND:.10f}" in TEXT
    dynamodb = by_the_million["DynamoDB, on demand"]
    assert dynamodb[1].startswith(f"{WRITE_UNITS} write units")
    assert float(dynamodb[-1]) == round(1e6 * WRITE_UNITS * WRITE_UNIT + 1e-9, 2)


def test_counts() -> None:
    by_the_month = {row[0]: row for row in TABLES[-1]}
    emitted = len(INSTRUMENTATION.metrics) + len(ErrorCategory)
    assert f"at most {emitted}: {len(INSTRUMENTATION.metrics)}, and {len(ErrorCategory)} categories" in TEXT
    assert float(by_the_month["metrics of the function"][-1]) == round(emitted * 0.3, 2)
    assert f"at most {len(OPERATORS_METRICS)} " in TEXT
    every = alarms(Limits())
    looked_at = sum(len(alarm.metrics) for alarm in every)
    # And failing-version, which is not among the definitions; it has one metric.
    assert f"{len(every) + 1} alarms, {looked_at + 1} metrics" in TEXT
    assert float(by_the_month["metric alarms, billed by the metrics that they evaluate"][-1]) == round(
        (looked_at + 1) * 0.1, 2
    )
    assert by_the_month["composite alarms"][1] == str(len(COMPOSITES))
