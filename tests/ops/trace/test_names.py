"""What `mep trace` looks for where nothing is said: what the stack has made."""

import pytest

from deploy.context import NAME, STAGES
from ops.trace.command import deployed_name


@pytest.mark.parametrize("stage", STAGES)
def test_the_function_is_the_environments(stage: str) -> None:
    assert deployed_name({"ENVIRONMENT": stage}) == f"{NAME}-{stage}"


def test_without_one_it_is_the_first_that_is_deployed() -> None:
    assert deployed_name({}) == deployed_name({"ENVIRONMENT": " "}) == f"{NAME}-dev"
