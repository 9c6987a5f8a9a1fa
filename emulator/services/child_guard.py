"""Runs one command in a directory, and ends it and removes the directory when the process that asked for it is gone.

Standard input is the lifeline: it reaches its end when the other side closes it or dies, by SIGKILL too. That works
on every Unix and from any thread, which Linux's parent-death signal does not.

Run as a script by an isolated interpreter (`-I`), so that no module beside it is taken for the standard library's.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading

_PATIENCE_SECONDS = 2


def main(home: str, command: list[str]) -> int:
    """Run the command until it ends, or until standard input does.

    Args:
        home: the command's working directory. It is left to whoever still holds the lifeline: its log may be in it.
        command: the command line.

    Returns:
        The command's exit status.
    """
    lifeline_ended = threading.Event()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd=home) as child:
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        threading.Thread(target=_end_with_stdin, args=(child, lifeline_ended), daemon=True).start()
        status = child.wait()
    if lifeline_ended.is_set():
        shutil.rmtree(home, ignore_errors=True)
    return status


def _end_with_stdin(child: subprocess.Popen[bytes], ended: threading.Event) -> None:
    while os.read(0, 1024):  # unbuffered: a buffered reader in a daemon thread can abort the interpreter's exit
        pass
    ended.set()
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_PATIENCE_SECONDS)
        return
    child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
