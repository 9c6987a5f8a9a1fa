"""docs/rehearsal.md: its part on one machine runs as it is written."""

import re
from pathlib import Path

import pytest

from emulator.environment import PROJECT_ROOT
from mep.dashboard.run import read_run
from monitoring.alarm_states import State
from monitoring.model import Limits
from tests.support.documented_session import DocumentedSession

PAGE = Path(PROJECT_ROOT, "docs", "rehearsal.md").read_text()
ON_ONE_MACHINE = PAGE.partition("\n## On one machine\n")[2].partition("\n## ")[0]


@pytest.mark.timeout(600)
def test_the_local_game_day(documented_session: DocumentedSession, tmp_path: Path) -> None:
    beside, afterwards = documented_session.run(ON_ONE_MACHINE, "eu-south-2", marked="demo-msft")

    assert re.search(r"^(\d+) of \1 sent to bus:earnings and deleted", beside, re.MULTILINE)
    assert "AccessDeniedException" in afterwards
    assert "the row is marked, invocation 2 of 2" in afterwards
    in_alarm = {
        name for name, state in read_run(tmp_path / "out", Limits()).alarm_states().items() if state is State.ALARM
    }
    assert {"error-rate-access-denied", "security"} <= in_alarm
    assert "error-rate-access-denied" in (tmp_path / "out" / "preview.html").read_text()
