"""Fixtures that these tests share with others."""

from tests.unit.mep.dashboard.conftest import run_folder

__all__ = ["run_folder"]
