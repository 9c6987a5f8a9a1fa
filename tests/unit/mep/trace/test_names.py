"""What `mep trace` looks for where nothing is said: what the stack has made."""

import pytest

from deploy.context import ENVIRONMENTS, NAME
from mep.settings import load_settings
from mep.trace.command import deployed_name


@pytest.mark.parametrize("stage", ENVIRONMENTS)
def test_the_function_is_the_environments(stage: str) -> None:
    assert deployed_name(stage) == f"{NAME}-{stage}"


@pytest.mark.parametrize("environ", [{}, {"ENVIRONMENT": " "}])
def test_without_one_it_is_the_first_that_is_deployed(environ: dict[str, str]) -> None:
    settings = load_settings({"AWS_REGION": "eu-west-1", **environ}, needs_queue=False)
    assert deployed_name(settings.environment) == f"{NAME}-dev"
