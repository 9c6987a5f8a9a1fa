"""Runs a command in a directory; terminates it and removes the directory when the parent process ends.

The end of standard input shows that the parent closed it or died, also by SIGKILL. That works on every Unix and from
any thread; Linux's parent-death signal does not.

Runs as a script, in an isolated interpreter (`-I`): it imports nothing of this package.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading

_STOP_SECONDS = 2


def main(home: str, command: list[str]) -> int:
    """Run the command until it ends, or until standard input does.

    Args:
        home: The command's working directory. It remains while the parent lives, which may read a log in it.
        command: The command line.

    Returns:
        The command's exit status.
    """
    parent_ended = threading.Event()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd=home) as child:
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        threading.Thread(target=_end_with_stdin, args=(child, parent_ended), daemon=True).start()
        status = child.wait()
    if parent_ended.is_set():
        shutil.rmtree(home, ignore_errors=True)
    return status


def _end_with_stdin(child: subprocess.Popen[bytes], ended: threading.Event) -> None:
    while os.read(0, 1024):  # unbuffered: a buffered reader in a daemon thread can abort the interpreter at exit
        pass
    ended.set()
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_STOP_SECONDS)
        return
    child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
