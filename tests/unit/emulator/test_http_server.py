"""A defect of a handler is one line."""

import re
from http.client import HTTPConnection, RemoteDisconnected

import pytest

from emulator.http_server import LoopbackServer, QuietHandler


class Broken(QuietHandler):
    """A handler that raises `error`."""

    error: type[Exception]

    def do_GET(self) -> None:
        raise self.error("a secret\nof a request")


@pytest.mark.parametrize(("error", "lines"), [(LookupError, 1), (BrokenPipeError, 0)])
def test_a_defect_is_one_line_without_its_message(
    error: type[Exception], lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with LoopbackServer(Broken, join_connections=True, error=error) as server:
        connection = HTTPConnection("127.0.0.1", server.port)
        connection.request("GET", "/")
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            connection.getresponse()
        connection.close()

    shown = capsys.readouterr().err
    assert shown.count("\n") == lines
    assert "secret" not in shown
    if lines:
        assert re.fullmatch(r"LookupError at .*test_http_server\.py:\d+ while a request was answered\n", shown)
