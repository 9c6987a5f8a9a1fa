"""What `mep trace` looks for where nothing is said: what the stack has made."""

import pytest

from deploy.context import ENVIRONMENTS, NAME
from mep.settings import load_settings


@pytest.mark.parametrize("stage", ENVIRONMENTS)
def test_the_function_is_the_environments(stage: str) -> None:
    settings = load_settings({"AWS_REGION": "eu-west-1", "ENVIRONMENT": stage}, needs_queue=False)
    assert settings.function_name == f"{NAME}-{stage}"


@pytest.mark.parametrize("environ", [{}, {"ENVIRONMENT": " "}])
def test_without_one_it_is_the_first_that_is_deployed(environ: dict[str, str]) -> None:
    settings = load_settings({"AWS_REGION": "eu-west-1", **environ}, needs_queue=False)
    assert settings.function_name == f"{NAME}-dev"
