"""What a killed test run leaves behind is known for that."""

import os
import socket
import subprocess
import sys

from tests.support.container_cleanup import LABEL, alone, labels


def test_a_run_that_goes_on_is_left_alone() -> None:
    assert not alone(labels()[LABEL])


def test_a_run_that_is_gone_is_seen() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    assert alone(f"{socket.gethostname()}:{ended.pid}")


def test_of_another_machine_nothing_is_touched() -> None:
    assert not alone(f"another-machine:{os.getpid()}0")
