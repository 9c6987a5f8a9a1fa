"""The served page follows a run: over HTTP, on loopback only."""

import http.client
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from mep.explorer.server import serve


@pytest.fixture
def started(folder: Path, tmp_path: Path) -> Path:
    """A run of which only the first event is in the files so far."""
    here = tmp_path / "run"
    here.mkdir()
    for path in folder.glob("*.jsonl"):
        (here / path.name).write_bytes(b"")
    first = (folder / "spans.jsonl").read_bytes().splitlines(keepends=True)[:2]
    (here / "spans.jsonl").write_bytes(b"".join(first))
    return here


@pytest.fixture
def url(started: Path) -> Iterator[str]:
    with serve(started) as url:
        yield url


def get(url: str, path: str, **headers: str) -> tuple[int, str]:
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_the_page_asks_its_server_and_no_other(url: str) -> None:
    status, document = get(url, "/")

    assert status == 200
    assert "connect-src 'self'" in document
    assert '<body data-live="true">' in document


def news(url: str, version: str) -> dict[str, Any]:
    status, body = get(url, f"/events?version={version}")
    assert status == 200
    return dict(json.loads(body))


def test_it_follows_the_files(url: str, started: Path, folder: Path) -> None:
    before = news(url, "")
    assert len(before["events"]) == 1
    assert get(url, f"/events?version={before['version']}") == (204, "")
    first = before["events"][0][6]

    shutil.copytree(folder, started, dirs_exist_ok=True)
    after = news(url, before["version"])
    assert len(after["events"]) == len(after["changed"]) == 10
    assert "received" in after["run"]
    status, timeline = get(url, f"/timeline?id={quote(first)}")
    assert status == 200
    assert f'data-copy="{first}"' in timeline


def test_an_unknown_event_is_not_found(url: str) -> None:
    assert get(url, "/timeline?id=nobody") == (404, "")
    assert get(url, "/favicon.ico")[0] == 404


def test_a_foreign_name_of_this_machine_is_refused(url: str) -> None:
    """A site could give its name the address of this machine, and read the run with a visitor's browser."""
    assert get(url, "/events", Host="rebound.example.com")[0] == 403
