"""Debian's Chromium, driven over the pipe of its DevTools protocol.

https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_PATIENCE_S = 120


class Page:
    """One page of a browser.

    Attributes:
        errors: What its console and its exceptions said, so far.
    """

    def __init__(self, requests: int, answers: int) -> None:
        self._requests = requests
        self._answers = answers
        self._unread = b""
        self._numbers = count(1)
        self._session = ""
        self.errors: list[str] = []
        (target,) = [each for each in self.call("Target.getTargets")["targetInfos"] if each["type"] == "page"]
        attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol, and return its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._requests, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self._note(answer)

    def open(self, url: str, ready: str = "document.body.dataset.ready === 'true'") -> None:
        """Open a URL, and wait until an expression is true, by default that its script is ready."""
        self.call("Page.navigate", url=url)
        self.until(f"document.body && ({ready})")

    def value(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        began = time.monotonic()
        while not self.value(expression):
            assert time.monotonic() - began < _PATIENCE_S, (expression, self.errors)
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """Press a key, such as `ArrowDown`, or `/`, which is a text."""
        text: Mapping[str, str] = {"text": key} if len(key) == 1 else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, **text)

    def write(self, text: str) -> None:
        """Write a text into the element that has the focus."""
        self.call("Input.insertText", text=text)

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """Set the size of the window, and light or dark."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path) -> None:
        """Write a picture of what is visible."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            part = os.read(self._answers, 1 << 20)
            assert part, "the browser has ended"
            self._unread += part
        message, _, self._unread = self._unread.partition(b"\0")
        return dict(json.loads(message))

    def _note(self, message: Mapping[str, Any]) -> None:
        if message.get("method") in {"Runtime.exceptionThrown", "Log.entryAdded"}:
            self.errors.append(json.dumps(message["params"]))


@contextmanager
def chromium(profile: Path, *flags: str) -> Iterator[Page]:
    """Run Chromium.

    Args:
        profile: A folder for its profile.
        flags: More of its options.

    Yields:
        Its page.
    """
    requests_out, requests_in = os.pipe()
    answers_out, answers_in = os.pipe()
    # The browser reads from its descriptor 3 and writes to its descriptor 4.
    command = ["bash", "-c", f'exec 3<&{requests_out} 4>&{answers_in}; exec chromium "$@"', "chromium"]
    words = [*FLAGS, *flags, "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(
        [*command, *words], pass_fds=(requests_out, answers_in), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        os.close(requests_out)
        os.close(answers_in)
        try:
            yield Page(requests_in, answers_out)
        finally:
            process.kill()
            os.close(requests_in)
            os.close(answers_out)
