"""The page of a run that goes on, served on loopback: the list follows the run's files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from emulator.http_server import LoopbackServer, QuietHandler
from mep.explorer.index import RunIndex
from mep.explorer.page import live_page, run_html
from mep.explorer.run_facts import run_facts
from mep.explorer.summary import summarise
from mep.pages.timeline import timeline_html


class FollowedRun:
    """The events of a run whose files grow. Several threads may use it.

    Args:
        folder: `--out` of `mep local`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._index = RunIndex(folder)
        self._lock = Lock()
        self._version = self._restarts = 0
        self._summaries: dict[str, list[Any]] = {}
        self._changed_in: dict[str, int] = {}

    def summaries(self) -> list[list[Any]]:
        """Return the lines of all events, as they are now."""
        with self._lock:
            self._refresh()
            return list(self._summaries.values())

    def news(self, version: str) -> dict[str, Any] | None:
        """Return the lines of all events and which of them have changed; None if none has.

        Args:
            version: That of the last news; empty for none.
        """
        with self._lock:
            self._refresh()
            if version == str(self._version):
                return None
            since = int(version) if version.isdecimal() else 0
            return {
                "version": str(self._version),
                "events": list(self._summaries.values()),
                "changed": [name for name, changed_in in self._changed_in.items() if changed_in > since],
                "run": "".join(run_html(run_facts(self.folder))),
            }

    def timeline(self, correlation_id: str) -> str | None:
        """Return the timeline of an event as HTML; None if the run has no such event."""
        with self._lock:
            self._refresh()
            if correlation_id not in self._summaries:
                return None
            return "".join(timeline_html(self._index.timeline(correlation_id)))

    def _refresh(self) -> None:
        changed = self._index.read()
        restarted = self._index.restarts != self._restarts
        if changed or restarted:
            self._version += 1
        if restarted:  # the index no longer knows the events of before
            self._restarts = self._index.restarts
            self._summaries.clear()
            self._changed_in.clear()
        for correlation_id in changed:
            self._summaries[correlation_id] = summarise(self._index.timeline(correlation_id)).as_json()
            self._changed_in[correlation_id] = self._version


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve the page of a run.

    Args:
        folder: `--out` of `mep local`; its files may be written meanwhile.

    Yields:
        The page's URL.
    """
    with LoopbackServer(_Handler, name="explorer", run=FollowedRun(folder)) as server:
        yield f"{server.url}/"


class _Handler(QuietHandler):
    run: FollowedRun

    def do_GET(self) -> None:
        """Answer the page and what its script asks for."""
        # A name of somebody else's that leads to this machine would let another site read the run.
        if self.headers.get("Host", "").partition(":")[0] not in {"127.0.0.1", "localhost"}:
            self.respond(403)
            return
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        match url.path:
            case "/":
                document = "".join(live_page(self.run.folder, self.run.summaries()))
                self.respond(200, document.encode(), {"Content-Type": "text/html; charset=utf-8"})
            case "/events":
                news = self.run.news(query.get("version", ""))
                body = b"" if news is None else orjson.dumps(news)
                self.respond(204 if news is None else 200, body, {"Content-Type": "application/json"})
            case "/timeline":
                html = self.run.timeline(query.get("id", ""))
                content = {"Content-Type": "text/html; charset=utf-8"}
                self.respond(404 if html is None else 200, (html or "").encode(), content)
            case _:
                self.respond(404)
