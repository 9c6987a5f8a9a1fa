"""A wheel is installed without the lock file: its bounds keep it from libraries that the cold start does not know."""

import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from emulator.environment import PROJECT_ROOT

PROJECT = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKED = {
    package["name"]: Version(package["version"])
    for package in tomllib.loads((PROJECT_ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
}
REQUIREMENTS = [Requirement(text) for text in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["operator"])]
DEFERRED = [each for each in REQUIREMENTS if each.name == "boto3" or each.name.startswith("opentelemetry-")]
"""Those whose imports `handler.coldstart` defers."""


@pytest.mark.parametrize("requirement", DEFERRED, ids=lambda requirement: requirement.name)
def test_next_minor_version_of_a_deferred_library_is_refused(requirement: Requirement) -> None:
    locked = LOCKED[requirement.name]

    assert requirement.specifier.contains(locked, prereleases=True)
    for next_one in (f"{locked.major}.{locked.minor + 1}b0", f"{locked.major}.{locked.minor + 1}.0"):
        assert not requirement.specifier.contains(next_one, prereleases=True)
