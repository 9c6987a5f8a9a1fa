"""Prepare a directory of Python packages for the image.

    shrink_packages.py trim DIRECTORY      remove files that the function never reads
    shrink_packages.py tidy DIRECTORY      remove files that the layer never reads
    shrink_packages.py finish DIRECTORY    compile to bytecode, make readable by any user, remove the time of the build

Runs in the image's build, on the standard library alone. A missing or unexpected file fails the build: an image that
lacks a file would fail in production, at the first event that needs it.
"""

import compileall
import contextlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from py_compile import PycInvalidationMode

DROPPED = (
    "bin",
    "botocore/data",  # of all services: see BOTOCORE_DATA
    "boto3/data",  # of boto3.resource(), which the function does not use
    "boto3/examples",
    "certifi/tests",
)
"""Directories of the function's packages to remove. Each must exist, so that a release that moves one is noticed."""

DROPPED_OF_LAYER = ("google/protobuf/testdata",)
"""The same of the layer's packages."""

BOTOCORE_DATA = {
    "botocore_data": (
        *("_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json"),
        *("dynamodb", "sqs"),
    ),
    "credential_data": ("sso", "sso-oidc", "sts"),
}
"""The function's trimmed data, by folder of `handler/coldstart`. Links in `botocore/data` make it the data of
botocore's own session, too, which HANDLER_COLD_START=standard uses. Any other service is an `UnknownServiceError`."""

DROPPED_FILES = ("*.pyi", "*.proto", "py.typed", "*.c", "*.h", "*.pxd", "*.pyx")
"""For type checkers and compilers."""

KEPT_METADATA = frozenset({"METADATA", "entry_points.txt", "licenses", "sboms"})
KEPT_METADATA_PREFIXES = ("LICENSE", "LICENCE", "NOTICE", "COPYING", "AUTHORS")
"""What stays of each `.dist-info`: name and version (OpenTelemetry and the SBOM read them), entry points (OpenTelemetry
finds its context and propagators by them), licenses, and the SBOM of code that is compiled into a wheel."""

# One date for all files, so that two builds from the same inputs differ only in the times of directories, which the
# builder makes. Zip files cannot represent 0.
EPOCH_SECONDS = 315_532_800
"""1980-01-01, UTC."""


class PackError(Exception):
    """The directory is not what this script expects; the message names the file."""


def prune(root: Path) -> None:
    """Remove the files that the function never reads.

    Args:
        root: Directory with installed packages.

    Raises:
        PackError: A directory to remove does not exist.
    """
    _remove(root, DROPPED)
    link_botocore_data(root / "botocore" / "data")
    clean(root)


def prune_layer(root: Path) -> None:
    """Remove the files that the layer never reads.

    Args:
        root: Directory with installed packages.

    Raises:
        PackError: A directory to remove does not exist.
    """
    _remove(root, DROPPED_OF_LAYER)
    clean(root)


def _remove(root: Path, names: Sequence[str]) -> None:
    for name in names:
        if not (root / name).is_dir():
            raise PackError(f"{name} is to be removed, but does not exist: find where the package has it now")
        shutil.rmtree(root / name)


def link_botocore_data(data: Path, coldstart: str = "../../handler/coldstart") -> None:
    """Make botocore's own session find the trimmed data in the place of its own.

    Args:
        data: Directory to make.
        coldstart: Path of `handler/coldstart`, absolute or from `data`.
    """
    data.mkdir()
    for folder, names in BOTOCORE_DATA.items():
        for name in names:
            (data / name).symlink_to(f"{coldstart}/{folder}/{name}")


def clean(root: Path) -> None:
    """Remove the files of any packages that are not read at run time.

    Args:
        root: Directory with installed packages.

    Raises:
        PackError: A package has no metadata.
    """
    for pattern in DROPPED_FILES:
        for unread in list(root.rglob(pattern)):
            unread.unlink()
    for metadata in root.glob("*.dist-info"):
        _keep_metadata(metadata)
    for directory, _, _ in root.walk(top_down=False):
        with contextlib.suppress(OSError):  # it is not empty
            directory.rmdir()


def _keep_metadata(metadata: Path) -> None:
    if not (metadata / "METADATA").is_file():
        raise PackError(f"{metadata.name} has no METADATA")
    for entry in list(metadata.iterdir()):
        if entry.name in KEPT_METADATA or entry.name.startswith(KEPT_METADATA_PREFIXES):
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def compile_all(root: Path) -> None:
    """Compile, make readable by any user, and set one time on all files.

    The bytecode is of the kind that is not checked against its source: it stays valid when a copy changes the times of
    files, and Python does not read them at each start.

    Args:
        root: Directory with Python code, at the path it has in the image, which tracebacks show.

    Raises:
        PackError: A file does not compile.
    """
    for cache in list(root.rglob("__pycache__")):
        shutil.rmtree(cache)
    if not compileall.compile_dir(root, maxlevels=100, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH):
        raise PackError(f"not everything in {root} compiles: see above")
    deepest_first = sorted(root.rglob("*"), reverse=True)
    for path in [*deepest_first, root]:
        os.utime(path, (EPOCH_SECONDS, EPOCH_SECONDS), follow_symlinks=False)
        if path.is_symlink():
            continue
        # Lambda runs the function as a user of its own, and a checkout may be readable by one user only.
        path.chmod(0o755 if path.is_dir() or path.suffix == ".so" else 0o644)


def main(arguments: Sequence[str]) -> None:
    """Run one command.

    Raises:
        SystemExit: After an error, with one line that describes it.
    """
    commands = {"trim": prune, "tidy": prune_layer, "finish": compile_all}
    if len(arguments) != len(("COMMAND", "DIRECTORY")) or arguments[0] not in commands:
        sys.exit(__doc__)
    try:
        commands[arguments[0]](Path(arguments[1]))
    except (PackError, OSError) as error:
        sys.exit(f"shrink_packages.py: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
