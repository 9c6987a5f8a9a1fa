"""DynamoDB on this machine: DynamoDB Local as a Java process, else an emulator that is atomic under threads."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from emulator.clients import loopback_client
from emulator.services.dynamodb_download import POM, default_cache, dynamodb_jars
from emulator.services.managed_service import Service, ServiceError, managed_service
from emulator.services.ministack import ministack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Announce = Callable[[str], None]

PROBE = "DynamoDB_20120810.ListTables"
"""The `X-Amz-Target` of a call that a DynamoDB answers once it works."""

_SERVER = POM.with_name("server.xml")
# Without a bound on its heap it takes what the machine has; the rest makes it start in about a second.
_JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_MAIN = ("-Dorg.eclipse.jetty.xml.XmlParser.Validating=false", "org.eclipse.jetty.xml.XmlConfiguration", str(_SERVER))


@dataclass(frozen=True, slots=True)
class DynamoDBEndpoint:
    """A DynamoDB that answers.

    Attributes:
        url: for `AWS_ENDPOINT_URL_DYNAMODB`.
        kind: what answers there.
        reason: why it is not DynamoDB Local; empty where it is.
    """

    url: str
    kind: Literal["dynamodb-local", "ministack"]
    reason: str = ""

    def client(self) -> "DynamoDBClient":
        """Return a client for it. The caller closes it."""
        return dynamodb_client(self.url)


def dynamodb_client(url: str) -> "DynamoDBClient":
    """Return a client for a DynamoDB on this machine: never an account's credentials, never a proxy."""
    client: DynamoDBClient = loopback_client("dynamodb", url)
    return client


def _quiet(_: str) -> None:
    pass


@contextlib.contextmanager
def dynamodb_local(cache: Path | None = None, announce: Announce = _quiet) -> Iterator[DynamoDBEndpoint]:
    """Run DynamoDB Local, empty and in memory, for the length of a `with` block.

    Args:
        cache: where its jars are kept; without, `emulator.services.dynamodb_download.default_cache()`.
        announce: told before something that takes long.

    Raises:
        ServiceError: there is no Java, the jars could not be fetched, or it did not start.
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


@contextlib.contextmanager
def dynamodb(cache: Path | None = None, announce: Announce = _quiet) -> Iterator[DynamoDBEndpoint]:
    """Run a DynamoDB for the length of a `with` block: DynamoDB Local if it can be had, else MiniStack.

    Args:
        cache: as for `dynamodb_local`.
        announce: as for `dynamodb_local`.

    Raises:
        ServiceError: neither starts.
    """
    with contextlib.ExitStack() as stack:
        try:
            endpoint = stack.enter_context(dynamodb_local(cache, announce))
        except ServiceError as error:
            url = stack.enter_context(ministack("dynamodb"))
            endpoint = DynamoDBEndpoint(url, "ministack", str(error))
        yield endpoint
