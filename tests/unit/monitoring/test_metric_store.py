"""The store of data points: what a period has, in whatever order its points arrive."""

import math

from hypothesis import given
from hypothesis import strategies as st

from monitoring.metric_store import Grid, MetricStore

MOMENTS = st.integers(0, 20)


@given(
    points=st.lists(st.tuples(MOMENTS, MOMENTS), max_size=12),
    as_of=st.sampled_from([*range(25), math.inf]),
    in_order=st.booleans(),
)
def test_a_period_has_what_was_measured_in_it_and_has_arrived(
    points: list[tuple[int, int]], as_of: float, *, in_order: bool
) -> None:
    """A point is measured at one moment and arrives at another."""
    if in_order:
        points = list(zip(sorted(at for at, _ in points), sorted(arrived for _, arrived in points), strict=True))
    store = MetricStore()
    for number, (at, arrived) in enumerate(points):
        store.put("N", "m", {}, [2.0**number], at=at, arrived=arrived)

    series = store.series(("N", "m", ()), "Sum", Grid(end=20, period=5, count=4, as_of=as_of))

    inside = [
        [2.0**number for number, (at, arrived) in enumerate(points) if left <= at < left + 5 and arrived <= as_of]
        for left in range(0, 20, 5)
    ]
    assert series == [sum(values) if values else None for values in inside]
