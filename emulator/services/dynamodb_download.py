"""DynamoDB Local's Java archives: fetched once with Maven, kept in a cache that git ignores."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from emulator.environment import PROJECT_ROOT
from emulator.services.managed_service import ServiceError

POM = Path(__file__).with_name("dynamodb_local") / "pom.xml"

# Named in full: without a version Maven takes an old one, and which, depends on its own age.
_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_FETCH_SECONDS = 600
_POLL_SECONDS = 0.1


def default_cache() -> Path:
    """Return where fetched things live: `.cache` of a checkout, else the user's cache directory."""
    if (PROJECT_ROOT / "pyproject.toml").is_file() and os.access(PROJECT_ROOT, os.W_OK):
        return PROJECT_ROOT / ".cache"
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mark-earnings-processed"


def dynamodb_jars(cache: Path, announce: Callable[[str], None]) -> Path:
    """Return the directory with DynamoDB Local's jars and native libraries; fetch them if it is not there.

    Safe to call from several processes at once: one fetches, the others wait. What is there is complete: it is
    fetched beside its place and then moved.

    Args:
        cache: directory to keep it in; made if need be.
        announce: told before a fetch, which takes seconds to minutes.

    Raises:
        ServiceError: Maven is missing, or the fetch failed.
    """
    jars = cache / f"dynamodb-local-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
    if jars.is_dir():
        return jars
    maven = shutil.which("mvn")
    if maven is None:
        raise ServiceError("DynamoDB Local cannot be fetched: there is no `mvn` on the PATH")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / "dynamodb-local.lock"):
            if not jars.is_dir():
                announce("fetching DynamoDB Local (about 50 MB, once)")
                _fetch(maven, jars)
    except OSError as error:
        raise ServiceError(f"DynamoDB Local cannot be kept in {cache}: {error.strerror}") from error
    return jars


def _fetch(maven: str, destination: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="fetching-", dir=destination.parent) as work:
        pom = shutil.copy(POM, work)  # Maven may write beside it
        fetched = Path(work, "jars")
        command = [maven, "-B", "-q", "-f", pom, _GOAL, f"-DoutputDirectory={fetched}", "-DincludeScope=runtime"]
        try:
            result = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=_FETCH_SECONDS, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            raise ServiceError(f"DynamoDB Local was not fetched within {_FETCH_SECONDS} s") from None
        if result.returncode or not list(fetched.glob("DynamoDBLocal-*.jar")):
            raise ServiceError(f"DynamoDB Local could not be fetched: {_first_error(result.stdout + result.stderr)}")
        fetched.rename(destination)


def _first_error(output: str) -> str:
    lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("[ERROR]")]
    return (errors or lines or ["mvn said nothing"])[0][:400]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    deadline = time.monotonic() + _FETCH_SECONDS
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ServiceError(f"another process has been fetching for too long: see {path}") from None
                time.sleep(_POLL_SECONDS)
        yield  # closing the file gives up the lock
