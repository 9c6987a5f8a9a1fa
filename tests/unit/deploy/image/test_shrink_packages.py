"""The script that trims and compiles the image's packages: what it leaves, and that it fails loudly."""

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.image.shrink_packages import BOTOCORE_DATA

ROOT = Path(__file__).parents[4]
SCRIPT = ROOT / "deploy" / "image" / "shrink_packages.py"

_PACKAGES = {
    "boto3/__init__.py": "",
    "boto3/data/ec2.json": "{}",
    "boto3/examples/s3.rst": "",
    "botocore/__init__.py": "",
    "botocore/data/s3/2006-03-01/service-2.json.gz": "",
    "botocore/data/endpoints.json": "{}",
    "bin/idna": "#!/bin/sh",
    "certifi/cacert.pem": "",
    "certifi/tests/__init__.py": "",
    "google/protobuf/any.proto": "",
    "google/protobuf/any_pb2.py": "A = 1",
    "google/protobuf/any_pb2.pyi": "A: int",
    "orjson/orjson.so": "",
    "orjson-3.dist-info/METADATA": "Name: orjson",
    "orjson-3.dist-info/RECORD": "",
    "orjson-3.dist-info/WHEEL": "",
    "orjson-3.dist-info/entry_points.txt": "",
    "orjson-3.dist-info/licenses/LICENSE": "",
    "orjson-3.dist-info/sboms/rust.cdx.json": "{}",
    "boto3-1.dist-info/METADATA": "Name: boto3",
    "boto3-1.dist-info/LICENSE": "",
    "boto3-1.dist-info/NOTICE": "",
    "only/stubs/x.pyi": "",
}


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    root = tmp_path / "task"
    for name, text in _PACKAGES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def _pack(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() or path.is_symlink()}


def test_trim_leaves_what_the_function_reads(packages: Path) -> None:
    assert _pack("trim", packages).stderr == ""
    assert _files(packages) == {
        "boto3/__init__.py",
        "botocore/__init__.py",
        *(f"botocore/data/{name}" for names in BOTOCORE_DATA.values() for name in names),  # links
        "certifi/cacert.pem",
        "google/protobuf/any_pb2.py",
        "orjson/orjson.so",
        "orjson-3.dist-info/METADATA",
        "orjson-3.dist-info/entry_points.txt",
        "orjson-3.dist-info/licenses/LICENSE",
        "orjson-3.dist-info/sboms/rust.cdx.json",
        "boto3-1.dist-info/METADATA",
        "boto3-1.dist-info/LICENSE",
        "boto3-1.dist-info/NOTICE",
    }
    assert not (packages / "only").exists()


def test_botocore_finds_the_trimmed_data(packages: Path) -> None:
    coldstart = ROOT / "handler" / "coldstart"
    _pack("trim", packages)
    shutil.copytree(coldstart, packages / "handler" / "coldstart")
    linked = {path.name: path.resolve(strict=True) for path in (packages / "botocore" / "data").iterdir()}
    assert linked.keys() == {path.name for folder in BOTOCORE_DATA for path in (coldstart / folder).iterdir()}


def test_what_is_to_go_must_be_there(packages: Path) -> None:
    (packages / "certifi" / "tests").rename(packages / "certifi" / "moved")
    result = _pack("trim", packages)
    assert result.returncode == 1
    assert result.stderr.startswith("shrink_packages.py: certifi/tests is to be removed, but does not exist")
    assert result.stderr.count("\n") == 1


def test_tidy_leaves_what_the_layer_reads(packages: Path) -> None:
    """It has no botocore, and everything else stays."""
    before = _files(packages)
    (packages / "google" / "protobuf" / "testdata").mkdir()
    (packages / "google" / "protobuf" / "testdata" / "x.bin").touch()

    assert _pack("tidy", packages).stderr == ""

    gone = {"google/protobuf/any.proto", "google/protobuf/any_pb2.pyi", "only/stubs/x.pyi"}
    assert _files(packages) == before - gone - {f"orjson-3.dist-info/{name}" for name in ("RECORD", "WHEEL")}
    assert _pack("tidy", packages).stderr.startswith(
        "shrink_packages.py: google/protobuf/testdata is to be removed, but"
    )


def test_a_package_without_metadata_is_refused(packages: Path) -> None:
    (packages / "orjson-3.dist-info" / "METADATA").unlink()
    result = _pack("trim", packages)
    assert (result.returncode, result.stderr) == (1, "shrink_packages.py: orjson-3.dist-info has no METADATA\n")


def test_finish_compiles_for_good_and_for_everybody(packages: Path) -> None:
    source = packages / "google" / "protobuf" / "any_pb2.py"
    source.chmod(0o600)
    (packages / "__pycache__").mkdir()
    (packages / "__pycache__" / "stale.pyc").write_bytes(b"")
    _pack("trim", packages)
    assert _pack("finish", packages).stderr == ""
    [compiled] = (source.parent / "__pycache__").iterdir()
    assert struct.unpack("<I", compiled.read_bytes()[4:8]) == (0b01,)
    assert source.stat().st_mode & 0o777 == 0o644
    assert (packages / "orjson" / "orjson.so").stat().st_mode & 0o777 == 0o755
    assert not (packages / "__pycache__").exists()
    assert {os.lstat(packages / name).st_mtime for name in _files(packages)} == {315_532_800}


def test_code_that_does_not_compile_is_refused(packages: Path) -> None:
    (packages / "boto3" / "__init__.py").write_text("def")
    result = _pack("finish", packages)
    assert result.returncode == 1
    assert "not everything in" in result.stderr


def test_a_wrong_command_line_shows_the_usage(packages: Path) -> None:
    result = _pack("shrink", packages)
    assert result.returncode == 1
    assert "shrink_packages.py trim DIRECTORY" in result.stderr
