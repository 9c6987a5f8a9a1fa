"""DynamoDB on this machine: DynamoDB Local, or an emulator whose transactions are atomic under threads.

DynamoDB Local's Java archives are fetched once with Maven and stored in a cache that git ignores.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from emulator.clients import loopback_client
from emulator.environment import PROJECT_ROOT
from emulator.services.managed_service import Service, ServiceError, managed_service
from emulator.services.ministack import ministack
from handler.contract import FUNCTION_NAME

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Announce = Callable[[str], None]

PROBE = "DynamoDB_20120810.ListTables"
"""The `X-Amz-Target` of a call that a DynamoDB answers as soon as it works."""

POM = Path(__file__).with_name("dynamodb_local") / "pom.xml"
_SERVER = POM.with_name("server.xml")
# Without a limit its heap takes the machine's memory; the other options let it start in about a second.
_JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_MAIN = ("-Dorg.eclipse.jetty.xml.XmlParser.Validating=false", "org.eclipse.jetty.xml.XmlConfiguration", str(_SERVER))

# In full: without a version, Maven takes one that depends on its own age.
_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_FETCH_SECONDS = 600
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class DynamoDBEndpoint:
    """A running DynamoDB.

    Attributes:
        url: The value of `AWS_ENDPOINT_URL_DYNAMODB`.
        kind: The implementation.
        reason: Why it is not DynamoDB Local; empty where it is.
    """

    url: str
    kind: Literal["dynamodb-local", "ministack"]
    reason: str = ""

    def client(self) -> "DynamoDBClient":
        """Return a client for it. The caller closes the client."""
        return dynamodb_client(self.url)


def dynamodb_client(url: str) -> "DynamoDBClient":
    """Return a client for a DynamoDB on this machine; see `emulator.clients`."""
    client: DynamoDBClient = loopback_client("dynamodb", url)
    return client


def _ignore(_: str) -> None:
    pass


@contextlib.contextmanager
def dynamodb(cache: Path | None = None, announce: Announce = _ignore) -> Iterator[DynamoDBEndpoint]:
    """Run a DynamoDB for the length of a `with` block: DynamoDB Local if possible, else MiniStack.

    Args:
        cache: As for `dynamodb_local`.
        announce: As for `dynamodb_local`.

    Raises:
        ServiceError: Neither starts.
    """
    with contextlib.ExitStack() as stack:
        try:
            endpoint = stack.enter_context(dynamodb_local(cache, announce))
        except ServiceError as error:
            url = stack.enter_context(ministack("dynamodb"))
            endpoint = DynamoDBEndpoint(url, "ministack", str(error))
        yield endpoint


@contextlib.contextmanager
def dynamodb_local(cache: Path | None = None, announce: Announce = _ignore) -> Iterator[DynamoDBEndpoint]:
    """Run DynamoDB Local, empty and in memory, for the length of a `with` block.

    Args:
        cache: The directory of its Java archives; None for `default_cache()`.
        announce: Called with a message before a step that takes long.

    Raises:
        ServiceError: There is no Java, the archives could not be fetched, or it did not start.
    """
    java = shutil.which("java")
    if java is None:
        raise ServiceError("DynamoDB Local cannot run: there is no `java` on the PATH")
    jars = dynamodb_jars(default_cache() if cache is None else cache, announce)

    def command(port: int) -> list[str]:
        libraries = [f"-Djava.library.path={jars}", "-cp", f"{jars}/*"]
        return [java, *_JVM, f"-Dport={port}", *libraries, *_MAIN]

    with managed_service(Service("DynamoDB Local", command, PROBE)) as url:
        yield DynamoDBEndpoint(url, "dynamodb-local")


def default_cache() -> Path:
    """Return the directory for downloads: `.cache` of a checkout, else the user's cache directory."""
    if (PROJECT_ROOT / "pyproject.toml").is_file() and os.access(PROJECT_ROOT, os.W_OK):
        return PROJECT_ROOT / ".cache"
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / FUNCTION_NAME


def dynamodb_jars(cache: Path, announce: Announce) -> Path:
    """Return the directory with DynamoDB Local's archives and native libraries; fetch them if it does not exist.

    Several processes may call this at once: one fetches, the others wait. An existing directory is complete: it is
    fetched under another name and then renamed.

    Args:
        cache: The directory to store it in; created if necessary.
        announce: Called before a download, which takes seconds to minutes.

    Raises:
        ServiceError: Maven is missing, or the download failed.
    """
    jars = cache / f"dynamodb-local-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
    if jars.is_dir():
        return jars
    maven = shutil.which("mvn")
    if maven is None:
        raise ServiceError("DynamoDB Local cannot be fetched: there is no `mvn` on the PATH")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _lock(cache / "dynamodb-local.lock"):
            if not jars.is_dir():
                announce("fetching DynamoDB Local (about 50 MB, once)")
                _fetch(maven, jars)
    except OSError as error:
        raise ServiceError(f"DynamoDB Local cannot be stored in {cache}: {error.strerror}") from error
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
    return (errors or lines or ["mvn printed nothing"])[0][:400]


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
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
        yield  # closing the file releases the lock
