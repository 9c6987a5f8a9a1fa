"""The tables of exit statuses and reasons in docs/troubleshooting.md equal those of the code."""

import re

from emulator.environment import PROJECT_ROOT
from mep.errors import ExitStatus, MepError, Reason

SECTION = (
    (PROJECT_ROOT / "docs" / "troubleshooting.md")
    .read_text(encoding="utf-8")
    .partition("## A command could not ask AWS\n")[2]
    .partition("\n## ")[0]
)


def test_every_exit_status_is_documented_once() -> None:
    documented = [int(each) for each in re.findall(r"^\| (\d+) \|", SECTION, re.MULTILINE)]
    assert documented == sorted(ExitStatus)


def test_every_reason_is_documented_once() -> None:
    assert re.findall(r"^\| `([a-z_]+)` \|", SECTION, re.MULTILINE) == list(Reason)


def test_each_error_has_its_exit_status() -> None:
    def below(kind: type[MepError]) -> list[type[MepError]]:
        return [kind, *(each for child in kind.__subclasses__() for each in below(child))]

    assert {each.exit_status for each in below(MepError)} == {
        ExitStatus.FAILED,
        ExitStatus.WRONG_USAGE,
        ExitStatus.UNAVAILABLE,
        ExitStatus.INTERRUPTED,
    }
