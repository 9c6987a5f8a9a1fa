"""DynamoDB Local is downloaded once, also by concurrent processes; a failure is one line."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from emulator.environment import PROJECT_ROOT
from emulator.services.dynamodb import default_cache, dynamodb_jars
from emulator.services.managed_service import ServiceError

GOOD = """
for argument in "$@"; do
  case "$argument" in -DoutputDirectory=*) mkdir -p "${argument#*=}"; touch "${argument#*=}/DynamoDBLocal-9.jar";; esac
done
"""


def fake_mvn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Put a fake Maven on the PATH; return the file to which it appends a line per call."""
    calls = tmp_path / "calls"
    tools = tmp_path / "bin"
    tools.mkdir()
    mvn = tools / "mvn"
    mvn.write_text(f"#!/bin/sh\necho call >> {calls}\n{script}")
    mvn.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    return calls


def ignore(_: str) -> None:
    pass


def left_behind(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if not path.name.endswith(".lock"))


def test_download_happens_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_mvn(tmp_path, monkeypatch, GOOD)
    announced: list[str] = []
    first = dynamodb_jars(tmp_path / "deep" / "cache", announced.append)
    second = dynamodb_jars(tmp_path / "deep" / "cache", announced.append)
    assert first == second
    assert [path.name for path in first.iterdir()] == ["DynamoDBLocal-9.jar"]
    assert calls.read_text() == "call\n"
    assert len(announced) == 1
    assert left_behind(tmp_path / "deep" / "cache") == [first.name]


def test_concurrent_first_runs_download_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_mvn(tmp_path, monkeypatch, f"sleep 0.3\n{GOOD}")
    with ThreadPoolExecutor(6) as pool:
        directories = set(pool.map(lambda _: dynamodb_jars(tmp_path / "cache", ignore), range(6)))
    assert len(directories) == 1
    assert calls.read_text() == "call\n"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo noise; echo '[ERROR] Could not   resolve it'; echo '[ERROR] Help'; exit 1", "Could not resolve it"),
        ("echo no route to host >&2; exit 1", "no route to host"),
        ("exit 0", "mvn printed nothing"),
    ],
)
def test_failed_download_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    calls = fake_mvn(tmp_path, monkeypatch, script)
    for _ in range(2):  # the next call retries it
        with pytest.raises(ServiceError) as caught:
            dynamodb_jars(tmp_path / "cache", ignore)
        assert str(caught.value).startswith("DynamoDB Local could not be fetched: ")
        assert reason in str(caught.value)
        assert "\n" not in str(caught.value)
    assert left_behind(tmp_path / "cache") == []
    assert calls.read_text() == "call\n" * 2


def test_missing_maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServiceError, match="there is no `mvn`"):
        dynamodb_jars(tmp_path / "cache", ignore)


def test_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_mvn(tmp_path, monkeypatch, GOOD)
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ServiceError, match=r"cannot be stored in .*cache"):
        dynamodb_jars(tmp_path / "cache", ignore)


def test_default_cache_of_a_checkout_and_of_an_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_cache() == PROJECT_ROOT / ".cache"
    monkeypatch.setattr("emulator.services.dynamodb.PROJECT_ROOT", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache() == tmp_path / "xdg" / "mark-earnings-processed"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_cache() == tmp_path / "home" / ".cache" / "mark-earnings-processed"
