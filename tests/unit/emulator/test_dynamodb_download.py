"""The jars are fetched once, whole, whoever asks at the same time; what goes wrong is one line."""

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
    """Put a Maven of our own on the PATH; return the file that grows by a line with each call."""
    calls = tmp_path / "calls"
    tools = tmp_path / "bin"
    tools.mkdir()
    mvn = tools / "mvn"
    mvn.write_text(f"#!/bin/sh\necho call >> {calls}\n{script}")
    mvn.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    return calls


def nobody(_: str) -> None:
    pass


def left_behind(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if not path.name.endswith(".lock"))


def test_they_are_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_mvn(tmp_path, monkeypatch, GOOD)
    announced: list[str] = []
    first = dynamodb_jars(tmp_path / "deep" / "cache", announced.append)
    second = dynamodb_jars(tmp_path / "deep" / "cache", announced.append)
    assert first == second
    assert [path.name for path in first.iterdir()] == ["DynamoDBLocal-9.jar"]
    assert calls.read_text() == "call\n"
    assert len(announced) == 1
    assert left_behind(tmp_path / "deep" / "cache") == [first.name]


def test_many_first_runs_at_once_fetch_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_mvn(tmp_path, monkeypatch, f"sleep 0.3\n{GOOD}")
    with ThreadPoolExecutor(6) as pool:
        found = set(pool.map(lambda _: dynamodb_jars(tmp_path / "cache", nobody), range(6)))
    assert len(found) == 1
    assert calls.read_text() == "call\n"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo noise; echo '[ERROR] Could not   resolve it'; echo '[ERROR] Help'; exit 1", "Could not resolve it"),
        ("echo no route to host >&2; exit 1", "no route to host"),
        ("exit 0", "mvn printed nothing"),
    ],
)
def test_a_failed_fetch_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    calls = fake_mvn(tmp_path, monkeypatch, script)
    for _ in range(2):  # and is tried again the next time
        with pytest.raises(ServiceError) as caught:
            dynamodb_jars(tmp_path / "cache", nobody)
        assert str(caught.value).startswith("DynamoDB Local could not be fetched: ")
        assert reason in str(caught.value)
        assert "\n" not in str(caught.value)
    assert left_behind(tmp_path / "cache") == []
    assert calls.read_text() == "call\n" * 2


def test_without_maven_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServiceError, match="there is no `mvn`"):
        dynamodb_jars(tmp_path / "cache", nobody)


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_mvn(tmp_path, monkeypatch, GOOD)
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ServiceError, match=r"cannot be stored in .*cache"):
        dynamodb_jars(tmp_path / "cache", nobody)


def test_the_cache_of_a_checkout_is_in_it_and_else_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_cache() == PROJECT_ROOT / ".cache"
    monkeypatch.setattr("emulator.services.dynamodb.PROJECT_ROOT", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache() == tmp_path / "xdg" / "mark-earnings-processed"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_cache() == tmp_path / "home" / ".cache" / "mark-earnings-processed"
