"""Trim botocore's service data to the operations that the function calls.

    python -m deploy.image.trim_botocore            # write it
    python -m deploy.image.trim_botocore --check    # fail if the installed botocore gives other data

To read the whole data of one service, and the endpoints of all, takes a fifth of a plain function's cold start. The
data of the function's services is in `handler/coldstart/botocore_data/`. The data of services that botocore calls for
credentials is in `handler/coldstart/credential_data/`, which an ordinary start does not list.
"""

import argparse
import gzip
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import botocore

OPERATIONS = {"dynamodb": ("TransactWriteItems",), "sqs": ("SendMessage",)}
"""The operations that the function calls, by service."""

CREDENTIAL_OPERATIONS = {
    "sts": ("AssumeRole", "AssumeRoleWithWebIdentity"),
    "sso": ("GetRoleCredentials",),
    "sso-oidc": ("CreateToken",),
}
"""The operations that botocore's credential providers call, by service, but `signin`, whose provider needs `awscrt`."""

WHOLE_FILES = ("partitions.json", "_retry.json", "sdk-default-configuration.json")

SOURCE = Path(botocore.__file__).parent / "data"
HANDLER = Path(__file__).resolve().parents[2] / "handler"
TARGET = HANDLER / "coldstart" / "botocore_data"
CREDENTIAL_TARGET = HANDLER / "coldstart" / "credential_data"


def trimmed() -> dict[str, Any]:
    """Return the files of `handler/coldstart/botocore_data/`, JSON by path.

    Raises:
        FileNotFoundError: botocore no longer has a file that is needed.
        KeyError: A service no longer has an operation that is called.
    """
    files: dict[str, Any] = {name: _read(SOURCE / name) for name in WHOLE_FILES}
    endpoints = _read(SOURCE / "endpoints.json")
    for partition in endpoints["partitions"]:
        partition["services"] = {name: service for name, service in partition["services"].items() if name in OPERATIONS}
    files["endpoints.json"] = endpoints
    return files | services(OPERATIONS)


def services(called: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Return the files of some services with some operations, JSON by path.

    Args:
        called: Operations by service.

    Raises:
        FileNotFoundError: botocore no longer has a file that is needed.
        KeyError: A service no longer has an operation that is called.
    """
    files = {}
    for service, operations in called.items():
        version = max(path.name for path in (SOURCE / service).iterdir() if path.is_dir())
        folder = SOURCE / service / version
        files[f"{service}/{version}/service-2.json"] = trim_model(_read(folder / "service-2.json"), operations)
        files[f"{service}/{version}/endpoint-rule-set-1.json"] = _read(folder / "endpoint-rule-set-1.json")
    return files


def trim_model(model: dict[str, Any], operations: tuple[str, ...]) -> dict[str, Any]:
    """Return a service model with some operations and the shapes that they reach, without documentation."""
    kept = {name: part for name, part in model.items() if name not in {"operations", "shapes", "documentation"}}
    kept["operations"] = {name: _without_documentation(model["operations"][name]) for name in operations}
    reached: dict[str, Any] = {}
    waiting = _shapes_named(kept["operations"])
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name] = _without_documentation(model["shapes"][name])
            waiting |= _shapes_named(reached[name])
    kept["shapes"] = dict(sorted(reached.items()))
    return kept


def _shapes_named(part: Any) -> set[str]:
    if isinstance(part, list):
        return {name for item in part for name in _shapes_named(item)}
    if not isinstance(part, dict):
        return set()
    own = {part["shape"]} if isinstance(part.get("shape"), str) else set()
    return own | {name for item in part.values() for name in _shapes_named(item)}


def _without_documentation(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_documentation(item) for item in part]
    if isinstance(part, dict):
        return {
            name: _without_documentation(item)
            for name, item in part.items()
            if not (name == "documentation" and isinstance(item, str))
        }
    return part


def _read(path: Path) -> Any:
    compressed = path.with_name(path.name + ".gz")
    if compressed.exists():
        return json.loads(gzip.decompress(compressed.read_bytes()))
    return json.loads(path.read_bytes())


def _text(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"), sort_keys=False) + "\n"


def committed() -> tuple[dict[Path, str], dict[Path, str]]:
    """Return the expected and the present content of both folders, text by path."""
    contents = {TARGET: trimmed(), CREDENTIAL_TARGET: services(CREDENTIAL_OPERATIONS)}
    expected = {folder / name: _text(content) for folder, files in contents.items() for name, content in files.items()}
    return expected, {path: path.read_text() for folder in contents for path in folder.rglob("*.json")}


def main() -> int:
    """Write the data, or check it; return 1 if it is out of date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing, fail if something would change")
    check = parser.parse_args().check
    expected, present = committed()
    if expected == present:
        return 0
    if check:
        sys.stderr.write("botocore has other data than handler/coldstart: run python -m deploy.image.trim_botocore\n")
        return 1
    for path in present.keys() - expected.keys():
        path.unlink()
    for path, text in expected.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
