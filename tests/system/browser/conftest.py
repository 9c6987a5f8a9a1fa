"""The fixtures of the browser tests."""

from tests.unit.mep.dashboard.conftest import run_folder

__all__ = ["run_folder"]
