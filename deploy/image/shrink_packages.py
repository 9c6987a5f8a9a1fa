"""Brings a directory of Python packages into the form in which the image carries it.

    shrink_packages.py trim DIRECTORY      leave out what the function never reads
    shrink_packages.py tidy DIRECTORY      leave out what nobody reads at run time: part of trim, for the layer
    shrink_packages.py finish DIRECTORY    bytecode, readable by any user, no time of the build

Runs in the image's build, on the standard library alone. Whatever is missing or unexpected ends the build: an image
that lacks a file fails in production, at the first event that needs it.
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
    "botocore/data",  # of all services: see LINKED
    "boto3/data",  # of boto3.resource(), which the function does not use
    "boto3/examples",
    "certifi/tests",
    "google/protobuf/testdata",
)
"""Whole directories, each of which must be there: a release that moves one is looked at, not shipped unseen."""

LINKED = {"botocore/data": "../handler/coldstart/botocore_data"}
"""What stands in for something dropped: botocore finds the function's own, small data in the place of its own, so that
a service that is not there is an `UnknownServiceError` with the names of those that are."""

DROPPED_FILES = ("*.pyi", "*.proto", "py.typed", "*.c", "*.h", "*.pxd", "*.pyx")
"""For type checkers and compilers."""

KEPT_METADATA = frozenset({"METADATA", "entry_points.txt", "licenses", "sboms"})
KEPT_METADATA_PREFIXES = ("LICENSE", "LICENCE", "NOTICE", "COPYING", "AUTHORS")
"""Of each `.dist-info`: name and version (OpenTelemetry and the SBOM read them), entry points (OpenTelemetry finds
its context and propagators by them), the licences, which go with every copy, and what a wheel says is compiled in."""

# One date for all files: two builds from the same inputs then differ in nothing but the times of directories, which
# the builder makes. Not 0, which zip files cannot say.
EPOCH_SECONDS = 315_532_800
"""1980-01-01, UTC."""


class PackError(Exception):
    """The directory is not what this script was written for; the message names the file."""


def prune(root: Path) -> None:
    """Leave out what the function never reads.

    Args:
        root: directory with installed packages.

    Raises:
        PackError: a directory to drop is not there.
    """
    for name in DROPPED:
        if not (root / name).is_dir():
            raise PackError(f"{name} is to be left out, but is not there: look where the packages put it now")
        shutil.rmtree(root / name)
    for name, target in LINKED.items():
        (root / name).symlink_to(target)
    clean(root)


def clean(root: Path) -> None:
    """Leave out of any packages what nobody reads at run time.

    Args:
        root: directory with installed packages.

    Raises:
        PackError: a package has no metadata.
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
    """Compile, make readable for any user, and take the time of the build out of the files.

    The bytecode says that it need not be checked against its source. It stays valid then when a copy changes the
    files' times, and Python does not look at them at every start.

    Args:
        root: directory with Python code, where the image has it: tracebacks say so.

    Raises:
        PackError: a file does not compile.
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
        # Lambda runs the function as a user of its own, and a checkout may have been made for one person's eyes only.
        path.chmod(0o755 if path.is_dir() or path.suffix == ".so" else 0o644)


def main(arguments: Sequence[str]) -> None:
    """Run one command.

    Raises:
        SystemExit: after an error, with one line that says what is wrong.
    """
    commands = {"trim": prune, "tidy": clean, "finish": compile_all}
    if len(arguments) != len(("COMMAND", "DIRECTORY")) or arguments[0] not in commands:
        sys.exit(__doc__)
    try:
        commands[arguments[0]](Path(arguments[1]))
    except (PackError, OSError) as error:
        sys.exit(f"shrink_packages.py: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
