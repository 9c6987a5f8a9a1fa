"""What is in the image: the function and what it needs, nothing else, in a form that runs on Lambda."""

import importlib.util
import json
import marshal
import re
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.image.shrink_packages import BOTOCORE_DATA
from tests.support.containers import ROOT
from tests.system.image.baseline import hold
from tests.system.image.file_system import Image, added

if TYPE_CHECKING:
    from types import CodeType

TASK = "var/task"
LAYER = "opt/adot/python"
SBOM = "usr/share/sbom/mark-earnings-processed.cdx.json"
NEWEST_GLIBC = (2, 34)
"""Amazon Linux 2023's."""

_UNCHECKED_HASH = 0b01
_MACHINES = {"amd64": 62, "arm64": 183}
_ENVIRONMENT = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/000000000000/dead-letters",
}

Python = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def content(image: str, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image.of(image, tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def base(base_image: str, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image.of(base_image, tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def inspected(docker_command: str, image: str, base_image: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the engine says of the image and of its base."""
    command = [docker_command, "image", "inspect", image, base_image]
    of_image, of_base = json.loads(subprocess.check_output(command))
    return of_image, of_base


@pytest.fixture
def python(docker_command: str, image: str) -> Python:
    """Run Python code in the image, with the function's environment and no network, with or without the layer."""

    def run(code: str, *, layer: bool = False, **more: str) -> subprocess.CompletedProcess[str]:
        environment = [f"--env={name}={value}" for name, value in {**_ENVIRONMENT, **more}.items()]
        command = [docker_command, "run", "--rm", "--network=none", "--read-only", *environment]
        start = ["--entrypoint=python3.13", image]
        if layer:
            start = ["--entrypoint=/opt/otel-instrument", image, "python3.13"]
        return subprocess.run([*command, *start, "-c", code], capture_output=True, text=True, check=False)

    return run


def _requirements(name: str = "requirements.txt") -> dict[str, str]:
    text = (ROOT / "deploy" / "image" / name).read_text()
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_base_is_left_as_it_is(content: Image, base: Image) -> None:
    assert base.entries.keys() <= content.entries.keys()
    own = [path for path, entry in added(content, base).items() if not entry.isdir()]
    assert [path for path in own if not path.startswith((f"{TASK}/", "usr/share/sbom/", "opt/"))] == []


def test_it_holds_the_locked_packages_and_the_function_only(content: Image) -> None:
    top = {path.split("/")[2] for path in content.entries if path.startswith(f"{TASK}/")}
    packages = {_normal(name.split("-")[0]) for name in top if name.endswith(".dist-info")}
    assert packages == {_normal(name) for name in _requirements()}
    assert {"handler", "otel"} <= top
    assert not top & {"emulator", "mep", "monitoring", "tests", "bench", "deploy", "docs", "bin", "pip", "uv", "pytest"}
    ours = {path for path in content.entries if path.startswith((f"{TASK}/handler/", f"{TASK}/otel/"))}
    assert {Path(path).suffix for path in ours if content.entries[path].isfile()} == {".py", ".pyc", ".json"}


def test_the_layer_holds_what_the_function_lacks_and_no_second_opentelemetry(content: Image) -> None:
    assert {path.split("/")[1] for path in content.entries if path.startswith("opt/")} == {"adot", "otel-instrument"}
    files = {
        root: {
            path.removeprefix(f"{root}/")
            for path, entry in content.entries.items()
            if path.startswith(f"{root}/") and entry.isfile()
        }
        for root in (TASK, LAYER)
    }
    packages = {
        root: {_normal(name.split("-")[0]) for name in found if ".dist-info/" in name} for root, found in files.items()
    }
    assert packages[LAYER] == {_normal(name) for name in _requirements("requirements-layer.txt")}
    assert packages[LAYER] & packages[TASK] == set()
    assert files[LAYER] & files[TASK] == set(), "one of the two would never be seen"
    assert len(files[LAYER]) > 100


def test_python_does_not_search_the_layer_unless_it_is_on(content: Image, python: Python) -> None:
    """Each package on Python's path is looked at when OpenTelemetry searches for entry points, and that costs."""
    assert [path for path in content.entries if path.startswith("opt/python")] == []
    seen = "import importlib.metadata as m; print(sorted(d.name for d in m.distributions() if 'distro' in d.name))"
    assert python(seen).stdout.strip() == "[]"
    assert python(seen, layer=True).stdout.strip() == "['aws-opentelemetry-distro', 'opentelemetry-distro']"


def test_any_user_can_read_it_and_none_but_root_can_write(content: Image, base: Image) -> None:
    files = {path: entry.mode & 0o777 for path, entry in added(content, base).items() if entry.isfile()}
    assert set(files.values()) <= {0o644, 0o755}
    runs = {path for path, mode in files.items() if mode == 0o755 and not path.endswith(".so")}
    assert runs == {"opt/otel-instrument"}


@pytest.mark.parametrize(("root", "least"), [(TASK, 300), (LAYER, 100)])
def test_all_code_is_compiled_and_never_checked_again(content: Image, root: str, least: int) -> None:
    files = content.read_all(".py", ".pyc", below=root)
    sources = {path: text for path, text in files.items() if path.endswith(".py")}
    assert len(sources) > least
    for path, source in sources.items():
        folder, _, name = path.rpartition("/")
        compiled = files[f"{folder}/__pycache__/{name.removesuffix('.py')}.cpython-313.pyc"]
        (flags,) = struct.unpack("<I", compiled[4:8])
        assert flags == _UNCHECKED_HASH, path
        assert compiled[8:16] == importlib.util.source_hash(source), f"{path}: compiled from other source"
    assert len(files) == 2 * len(sources), "bytecode without source"


def test_tracebacks_name_the_files_where_the_image_has_them(content: Image) -> None:
    compiled = content.read(f"{TASK}/handler/__pycache__/processor.cpython-313.pyc")
    code: CodeType = marshal.loads(compiled[16:])  # noqa: S302 - our own
    assert code.co_filename == f"/{TASK}/handler/processor.py"


def test_no_wheel_asks_for_a_newer_glibc_or_another_machine(
    content: Image, inspected: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    libraries = content.read_all(".so", below=TASK) | content.read_all(".so", below=LAYER)
    assert libraries
    machine = _MACHINES[inspected[0]["Architecture"]]
    for path, library in libraries.items():
        assert struct.unpack("<H", library[18:20]) == (machine,), path
        needed = {(int(major), int(minor)) for major, minor in re.findall(rb"GLIBC_(\d+)\.(\d+)", library)}
        assert max(needed) <= NEWEST_GLIBC, f"{path} needs glibc {max(needed)}"


def test_the_sbom_is_valid_and_lists_every_package(content: Image) -> None:
    text = content.read(SBOM).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bom = json.loads(text)
    assert bom["metadata"]["component"]["name"] == "mark-earnings-processed"
    listed = {_normal(component["name"]): component["version"] for component in bom["components"]}
    locked = _requirements() | _requirements("requirements-layer.txt")
    assert listed == {_normal(name): version for name, version in locked.items()}
    assert all(component["purl"].startswith("pkg:pypi/") for component in bom["components"])
    # protobuf names its license in a form that is no SPDX identifier; the text comes with the package.
    assert [component["name"] for component in bom["components"] if not component.get("licenses")] == ["protobuf"]


def test_the_sbom_can_be_taken_out(docker_command: str, image: str, content: Image) -> None:
    command = [docker_command, "run", "--rm", "--entrypoint", "cat", image, f"/{SBOM}"]
    assert subprocess.check_output(command) == content.read(SBOM)


def test_licences_come_with_the_packages(content: Image) -> None:
    with_licence = {
        path.split(".dist-info/")[0]
        for path in content.entries
        if ".dist-info/" in path and re.search(r"/(licenses/|LICEN[CS]E|NOTICE|COPYING)", path)
    }
    found = (re.fullmatch(rf"((?:{TASK}|{LAYER})/[^/]+)\.dist-info", path) for path in content.entries)
    packages = {match[1] for match in found if match is not None}
    # Those whose wheels lack it are under the licence of this project, of which a copy lies beside them.
    for path in packages - with_licence:
        assert path.startswith(f"{LAYER}/")
        metadata = content.read(f"{path}.dist-info/METADATA").decode()
        assert re.search(r"^License(-Expression)?: Apache-2.0$", metadata, re.MULTILINE), path
    assert content.read("opt/adot/LICENSE") == (ROOT / "LICENSE").read_bytes()


def test_it_says_what_it_is_and_starts_as_the_base_does(
    inspected: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    image, base = (part["Config"] for part in inspected)
    assert image["Entrypoint"] == base["Entrypoint"]
    assert image["Cmd"] == ["handler.app.lambda_handler"]
    assert image["WorkingDir"] == base["WorkingDir"]
    assert image["User"] == base["User"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in image["Labels"].items()}
    assert labels["title"] == "MarkEarningsProcessed"
    assert labels["licenses"] == "Apache-2.0"
    assert labels["description"]
    assert labels.keys() >= {"source", "version", "revision", "created", "base.name", "base.digest"}
    assert dict(each.split("=", 1) for each in image["Env"])["SERVICE_VERSION"] == labels["revision"]


def test_the_clients_work_in_every_partition_without_botocores_own_data(content: Image, python: Python) -> None:
    below = {path: entry for path, entry in content.entries.items() if path.startswith(f"{TASK}/botocore/data/")}
    assert {path: entry.linkname for path, entry in below.items()} == {
        f"{TASK}/botocore/data/{name}": f"../../handler/coldstart/{folder}/{name}"
        for folder, names in BOTOCORE_DATA.items()
        for name in names
    }
    result = python(
        "import os; from copy import replace\n"
        "from handler import aws; from handler.settings import load_settings\n"
        "read = load_settings(os.environ)\n"
        "for region in ('eu-central-1', 'cn-north-1', 'us-gov-west-1'):\n"
        "    here = replace(read, region=region)\n"
        "    print(aws.dynamodb_client(here).meta.endpoint_url, aws.sqs_client(here).meta.endpoint_url)\n"
    )
    assert result.stdout.split() == [
        "https://dynamodb.eu-central-1.amazonaws.com",
        "https://sqs.eu-central-1.amazonaws.com",
        "https://dynamodb.cn-north-1.amazonaws.com.cn",
        "https://sqs.cn-north-1.amazonaws.com.cn",
        "https://dynamodb.us-gov-west-1.amazonaws.com",
        "https://sqs.us-gov-west-1.amazonaws.com",
    ], result.stderr


def test_a_service_that_is_not_in_the_image(python: Python) -> None:
    result = python("import boto3; boto3.client('s3')")
    assert (
        "UnknownServiceError: Unknown service: 's3'. Valid service names are: dynamodb, sqs, sso, sso-oidc, sts"
        in result.stderr
    )


_BY_WEB_IDENTITY = """
import http.server, os, sys, threading

class Services(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"ConsumedCapacity": [{"TableName": "t"}]}'
        if not self.headers["X-Amz-Target"]:
            names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
            keys = "".join(f"<{name}>STS{name}</{name}>" for name in names)
            credentials = f"<Credentials>{keys}<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>"
            result = f"<AssumeRoleWithWebIdentityResult>{credentials}</AssumeRoleWithWebIdentityResult>"
            body = f"<AssumeRoleWithWebIdentityResponse>{result}</AssumeRoleWithWebIdentityResponse>".encode()
        else:
            print(self.headers["Authorization"].partition("Credential=")[2].partition("/")[0])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

class Context:
    aws_request_id = "request"
    invoked_function_arn = ""
    def get_remaining_time_in_millis(self):
        return 30_000

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Services)
threading.Thread(target=server.serve_forever, daemon=True).start()
for service in ("DYNAMODB", "STS"):
    os.environ[f"AWS_ENDPOINT_URL_{service}"] = f"http://127.0.0.1:{server.server_address[1]}"
sys.path.insert(0, "/var/task")
import handler.app
event = {"version": "0", "id": "e", "source": "signal9.advisor", "detail-type": "earningsProcessed", "account": "1",
         "time": "2025-07-31T20:05:00Z", "region": "us-east-1", "resources": [],
         "detail": {"asset_symbol": "AAPL", "earnings_date": "2025-07-31"}}
print(handler.app.lambda_handler(event, Context())["outcome"])
"""


def test_a_role_gives_credentials(python: Python) -> None:
    role = {"AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/earnings"}
    variables = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", **role}
    token = f"/{SBOM}"  # any file will do
    result = python(_BY_WEB_IDENTITY, AWS_WEB_IDENTITY_TOKEN_FILE=token, OTEL_SDK_DISABLED="true", **variables)
    printed = [line for line in result.stdout.splitlines() if not line.startswith("{")]
    assert printed == ["STSAccessKeyId", "marked"], result.stdout + result.stderr


_COPIES = """
import collections, importlib.metadata as metadata, pathlib, sys
names = collections.Counter(found.name.lower() for found in metadata.distributions())
print(sorted(name for name, count in names.items() if count > 1 and name != "snapshot-restore-py"))
places = collections.Counter(
    file.relative_to(root).as_posix()
    for root in {entry for entry in sys.path if entry and pathlib.Path(entry, "opentelemetry").is_dir()}
    for file in pathlib.Path(root, "opentelemetry").rglob("*.py")
)
print(sorted(file for file, count in places.items() if count > 1), len(places) > 100)
import opentelemetry.sdk.trace, opentelemetry.trace
print(opentelemetry.sdk.trace.__file__, opentelemetry.trace.__file__)
"""


@pytest.mark.parametrize("layer", [False, True])
def test_one_opentelemetry_is_importable(python: Python, layer: bool) -> None:
    result = python(f"import sys; sys.path[:] = dict.fromkeys(['/{TASK}', *sys.path[1:]]){_COPIES}", layer=layer)
    assert result.stdout.splitlines() == [
        "[]",
        "[] True",
        f"/{TASK}/opentelemetry/sdk/trace/__init__.py /{TASK}/opentelemetry/trace/__init__.py",
    ], result.stderr


@pytest.mark.parametrize("layer", [False, True])
def test_the_runtime_client_runs_the_hooks_that_the_function_registers(python: Python, layer: bool) -> None:
    """Both bring `snapshot_restore_py`: the copy that is imported first is both's."""
    result = python(
        "import sys; sys.path.insert(0, '/var/task')\n"
        "from snapshot_restore_py import register_after_restore\n"
        "register_after_restore(print, 'restored')\n"
        "from awslambdaric.lambda_runtime_hooks_runner import run_after_restore\n"
        "run_after_restore()\n",
        layer=layer,
    )
    assert result.stdout == "restored\n", result.stderr


def test_the_image_stays_small(content: Image, base: Image) -> None:
    sizes = {path: entry.size for path, entry in added(content, base).items() if entry.isfile()}
    parts: dict[str, int] = {}
    for path, size in sizes.items():
        part = path.split("/")[2] if path.startswith(f"{TASK}/") else "the layer" if path.startswith("opt/") else path
        parts[part] = parts.get(part, 0) + size
    largest = sorted(parts.items(), key=lambda part: -part[1])[:8]
    detail = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in largest)
    hold("image_mb_over_base", sum(sizes.values()) / 1e6, detail=detail)


def test_the_start_imports_little(python: Python) -> None:
    result = python(
        "import sys\n"
        "import handler.app\n"
        "found = [name for name, module in sys.modules.items()\n"
        "         if (getattr(module, '__file__', None) or '').startswith('/var/task/')]\n"
        "print(len(found))\n"
    )
    assert result.stdout.strip().isdigit(), result.stderr
    hold("modules_imported", int(result.stdout), detail="modules of the image's own packages, direct mode")
