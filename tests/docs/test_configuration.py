"""docs/configuration.md: its table has every setting of the function, with the default of the code."""

import logging
import re

from emulator.environment import PROJECT_ROOT
from handler.coldstart import COLD_START, FAST, STANDARD
from handler.contract import AUDIT, CALENDAR
from handler.settings import load_settings
from tests.docs.markdown import tables
from tests.integration.variables import NO_EFFECT, OURS, REFUSED
from tests.unit.handler.harness import ENVIRON

PAGE = (PROJECT_ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
_BY_LAMBDA = {name for name in OURS if name.startswith("AWS_LAMBDA_")} - {"AWS_LAMBDA_LOG_LEVEL"}
_LAYER = {"AWS_LAMBDA_EXEC_WRAPPER"}


def codes(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def rows() -> dict[str, str]:
    """The default of each variable that the table names."""
    ((_, found),) = tables(PAGE)
    return {name: default for names, default, _ in found for name in codes(names)}


def test_every_setting_of_the_function_is_listed() -> None:
    assert set(OURS) - _BY_LAMBDA - rows().keys() == set()


def test_nothing_else_is_listed() -> None:
    known = {*REFUSED, *NO_EFFECT, *_LAYER, "AWS_ROLE_ARN"}
    assert {name for name in rows() if not name.endswith("_*")} - known == set()


def test_the_defaults_are_those_of_the_code() -> None:
    settings = load_settings(ENVIRON)
    expected = {
        CALENDAR.variable: settings.calendar_table,
        AUDIT.variable: settings.audit_table,
        "EVENT_SOURCE": settings.event_source,
        COLD_START: FAST if settings.fast_start else STANDARD,
        "ENVIRONMENT": settings.telemetry.environment,
        "AWS_CONNECT_TIMEOUT_SECONDS": f"{settings.connect_timeout:g}",
        "AWS_READ_TIMEOUT_SECONDS": f"{settings.read_timeout:g}",
        "AWS_LAMBDA_LOG_LEVEL": logging.getLevelName(settings.telemetry.log_level),
        "AWS_XRAY_DAEMON_ADDRESS": ":".join(map(str, settings.telemetry.daemon)),
    }
    documented = rows()
    assert {name: codes(documented[name])[0] for name in expected} == expected


def test_the_required_ones() -> None:
    required = {name for name, default in rows().items() if default.startswith("required")}
    assert required == ENVIRON.keys()
