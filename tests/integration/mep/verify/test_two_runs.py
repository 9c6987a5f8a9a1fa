"""Two people verify one environment at once: the second run stops, and neither fails because of the other."""

import pytest

from mep.verify.results import CheckName, Report
from tests.integration.mep.verify.conftest import Verify, statuses
from tests.integration.mep.verify.deployed import DeployedAccount
from tests.integration.mep.verify.helpers import assert_clean, at
from tests.support.stores import Tables


@pytest.mark.parametrize("name", [CheckName.REDRIVE, CheckName.CLEAN_UP])
def test_a_second_run_stops_while_the_first_is_at_work(
    run: Verify, account: DeployedAccount, tables: Tables, name: CheckName
) -> None:
    second: list[Report] = []

    first = run(full=True, on_check=at(name, lambda: second.append(run(full=True))))

    assert statuses(second[0])["reserved_rows"] == "fail"
    assert statuses(first) == {}
    assert_clean(first, account, tables)
    assert statuses(run(full=True)) == {}
