"""The default name of the function is that of the stack."""

import pytest

from deploy.context import ENVIRONMENTS, NAME
from mep.settings import load_settings


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_name_has_the_environment(environment: str) -> None:
    settings = load_settings({"AWS_REGION": "eu-west-1", "ENVIRONMENT": environment})
    assert settings.function_name == f"{NAME}-{environment}"
