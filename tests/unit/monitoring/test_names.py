"""The names that the commands derive: the environments and the prefix."""

from deploy.context import ENVIRONMENTS
from deploy.reading import read_context
from monitoring import names
from monitoring.names import StackNames


def test_environments_are_those_of_the_deployment() -> None:
    assert set(names.ENVIRONMENTS) == ENVIRONMENTS.keys()


def test_a_prefix_changes_the_names() -> None:
    deployment = read_context({"environment": "dev", "prefix": "its-own"})

    assert deployment.name == StackNames("dev", "its-own").name == "its-own-dev"
