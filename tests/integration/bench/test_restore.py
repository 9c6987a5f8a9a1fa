"""A restored sandbox of the benchmark requests its credentials after the restore, primed or not."""

import pytest

from bench.measure import run
from bench.restore import V0_PRIMED
from bench.target import Target


@pytest.mark.parametrize(
    ("target", "requests"),
    # V0 requests them at the start, when the hook signs a request, and with the first event.
    [(Target("handler.app", restored=True, sends="datagrams"), 1), (Target(V0_PRIMED, restored=True), 4)],
    ids=["function", "V0"],
)
def test_a_restored_sandbox(target: Target, requests: int) -> None:
    ran = run(target, 2)

    assert ran.seen["transactions"] == 2
    assert ran.seen["credential_requests"] == requests
    assert ran.report["modules_first"] <= 1
