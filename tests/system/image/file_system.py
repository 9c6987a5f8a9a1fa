"""What an image has in its files, read without running it."""

import tarfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Image:
    """An image's file system.

    Attributes:
        entries: What the archive says of each path, without a leading slash.
        archive: The file that holds it.
    """

    entries: Mapping[str, tarfile.TarInfo]
    archive: Path

    @classmethod
    def of(cls, name: str, directory: Path) -> Self:
        """Export an image.

        Args:
            name: Of the image.
            directory: Where the archive goes.
        """
        import docker  # type: ignore[import-untyped]

        archive = directory / f"{name.replace('/', '_').replace(':', '_')}.tar"
        with closing(docker.from_env()) as client:
            container = client.containers.create(name)
            try:
                with archive.open("wb") as file:
                    file.writelines(container.export())
            finally:
                container.remove()
        with tarfile.open(archive) as tar:
            return cls({entry.name: entry for entry in tar}, archive)

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        with tarfile.open(self.archive) as tar:
            file = tar.extractfile(self.entries[path])
            assert file is not None
            return file.read()

    def read_all(self, *suffixes: str, below: str) -> dict[str, bytes]:
        """Return the content of all files below a directory with one of these suffixes."""
        content: dict[str, bytes] = {}
        with tarfile.open(self.archive) as tar:
            for path, entry in self.entries.items():
                if entry.isfile() and path.startswith(f"{below}/") and path.endswith(suffixes):
                    file = tar.extractfile(entry)
                    assert file is not None
                    content[path] = file.read()
        return content


def added(image: Image, base: Image) -> dict[str, tarfile.TarInfo]:
    """Return the entries of an image that its base does not have, or has otherwise."""
    return {
        path: entry
        for path, entry in image.entries.items()
        if path not in base.entries or (entry.isfile() and entry.size != base.entries[path].size)
    }
