"""A cold start leaves out the modules of the table, for a reason that still holds, and nothing that is used."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from botocore.httpsession import DEFAULT_CA_BUNDLE

from handler.coldstart.lazy_imports import DEFERRED_MODULES, UNAVAILABLE_MODULES, LazyPattern
from tests.support.thorough import some
from tests.unit.handler.coldstart import left_behind

STANDARD = {"HANDLER_COLD_START": "standard"}
ONE_EVENT = """
import json, sys
import handler.app
import botocore.httpsession
from botocore.awsrequest import AWSResponse

class Body:
    def stream(self): yield b'{"ConsumedCapacity": [{"TableName": "t", "CapacityUnits": 2.0}]}'

class Context:
    aws_request_id = "request-1"
    invoked_function_arn = ""
    def get_remaining_time_in_millis(self): return 30_000

client = handler.app._processor._calendar._client
client.meta.events.register("before-send", lambda request, **_: AWSResponse(request.url, 200, {}, Body()))
event = {"id": "1", "source": "signal9.advisor", "detail-type": "earningsProcessed"}
event["detail"] = {"asset_symbol": "AAPL", "earnings_date": "2025-07-31"}
before = set(sys.modules)
response = handler.app.lambda_handler(event, Context())
"""
PACKAGES = [name for name in DEFERRED_MODULES if name.rpartition(".")[0] not in DEFERRED_MODULES]


def fresh_process(code: str, extra: Mapping[str, str] | None = None, stderr: str = "") -> str:
    """Return what the code prints in a process that has imported nothing yet.

    Args:
        code: Python code.
        extra: More environment variables.
        stderr: What it must write there.
    """
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**left_behind.SETTINGS, **(extra or {})},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stderr == stderr
    return run.stdout


def test_no_deferred_module_is_loaded() -> None:
    code = "import sys, handler.app; print(*sys.modules)"
    loaded = fresh_process(code).split()
    assert [name for name in loaded for package in PACKAGES if f"{name}.".startswith(f"{package}.")] == []


# psutil is installed here and not in the image, so that its import needs no proof.
@pytest.mark.parametrize(
    "package", some([name for name in (*PACKAGES, *UNAVAILABLE_MODULES) if name != "psutil"], of=8)
)
def test_a_package_would_be_loaded(package: str) -> None:
    """An entry that no library needs any more has to go."""
    # boto3.resources builds on classes of the others, so it loads only together with them.
    code = f"""
import os, sys
from handler.coldstart import lazy_imports, stubs
for package in ({package!r}, "s3transfer", "botocore.docs"):
    for name in [name for name in lazy_imports.DEFERRED_MODULES if (name + ".").startswith(package + ".")]:
        del lazy_imports.DEFERRED_MODULES[name]
answer = stubs.ImportPhase.answer
def declaring(self, path, *rest):
    self.declared |= {{path}}
    return answer(self, path, *rest)
stubs.ImportPhase.answer = declaring
lazy_imports.UNAVAILABLE_MODULES = tuple(name for name in lazy_imports.UNAVAILABLE_MODULES if name != {package!r})
class Finder:
    def find_spec(self, name, *_):
        if name == {package!r}: print(True, flush=True); os._exit(0)
sys.meta_path.insert(0, Finder())
import handler.app; print(False)
"""
    assert fresh_process(code) == "True\n"


def test_every_declared_name_is_asked_for_and_no_other() -> None:
    """A library that asks a stub for anything else may take the refusal for an answer, as `hasattr` does."""
    code = """
from handler.coldstart import lazy_imports, stubs
asked, refused = set(), set()
answer, call = stubs.ImportPhase.answer, stubs.Deferred.__call__
def recorded(self, path, *rest):
    if not path.rpartition(".")[2].startswith("__"):
        (asked if path in self.declared else refused).add(path)
    return answer(self, path, *rest)
def recorded_call(self, *args, **options):
    asked.add(self._path + "()")
    return call(self, *args, **options)
stubs.ImportPhase.answer, stubs.Deferred.__call__ = recorded, recorded_call
import handler.app
declared = {f"{module}.{name}" for module, names in lazy_imports.DEFERRED_MODULES.items() for name in names}
print(sorted(refused), sorted(declared - asked))
"""
    of_an_event = ["opentelemetry._logs.get_logger()", "opentelemetry.metrics.get_meter()"]
    of_adot = ["opentelemetry.propagate.set_global_textmap", "opentelemetry.propagate.set_global_textmap()"]
    assert fresh_process(code) == f"[] {[*of_an_event, *of_adot]}\n"


def test_the_first_event_loads_no_deferred_module() -> None:
    code = f"{ONE_EVENT}print(response['outcome'], *sorted(set(sys.modules) - before), file=sys.stderr)"
    # Python encodes the host's name with them.
    assert fresh_process(code, stderr="marked encodings.idna stringprep unicodedata\n")


@pytest.mark.parametrize("switch", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none", **STANDARD}])
def test_without_tracing_nothing_of_opentelemetry_is_loaded(switch: Mapping[str, str]) -> None:
    of_tracing = ("opentelemetry.", "amazon.", "wrapt.", "otel.tracing.", "otel.exporters.", "otel.settings.effect.")
    code = (
        f"{ONE_EVENT}print(*[name for name in sys.modules if f'{{name}}.'.startswith({of_tracing})], file=sys.stderr)"
    )
    lines = fresh_process(code, switch, stderr="\n")
    assert '"outcome":"marked"' in lines


def test_what_is_left_behind() -> None:
    """The difference after an upgrade is to be read by a person: see handler/coldstart/README.md."""
    listed = fresh_process(
        "from runpy import run_module as run; run('tests.unit.handler.coldstart.left_behind', None, '__main__')"
    )
    assert listed == Path(left_behind.__file__).with_suffix(".txt").read_text()


def test_no_library_uses_a_deferred_name_as_a_class() -> None:
    """A name of its own (`from ipaddress import ip_address`) may be called, and no more.

    An exception may be caught where the same block uses the module before: the stub is then replaced by the real one.
    """
    code = """
import ast, inspect, sys
import handler.app
from handler.coldstart.stubs import Deferred, StubModule

deferred_names = caught = 0
for module in list(sys.modules.values()):
    names = {name: value.module for name, value in vars(module).items() if type(value) is Deferred}
    stubs = {name: value for name, value in vars(module).items() if type(value) is StubModule}
    deferred_names += len(names)
    for node in ast.walk(ast.parse(inspect.getsource(module) if names else "")):
        classes, used = [], set()
        if isinstance(node, ast.Try):
            classes = [handler.type for handler in node.handlers if handler.type]
            first = ast.walk(node.body[0])
            used = {stubs[part.id] for part in first if isinstance(part, ast.Name) and part.id in stubs}
        elif isinstance(node, ast.ClassDef):
            classes = node.bases
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"isinstance", "issubclass"}:
            classes = node.args[1:]
        elif isinstance(node, ast.Compare):
            classes = [node.left, *node.comparators]
        for name in [part.id for kind in classes for part in ast.walk(kind) if isinstance(part, ast.Name)]:
            if name in names and names[name] in used:
                caught += 1
            elif name in names:
                print(module.__name__, name, node.lineno)
print(deferred_names > 20, caught)
"""
    assert fresh_process(code) == "True 2\n"


def test_an_xml_error_is_caught_after_a_fast_start() -> None:
    code = """
import handler.app
from botocore.parsers import QueryParser, ResponseParserError
from botocore.handlers import _looks_like_special_case_error
try: QueryParser()._parse_xml_string_to_dom("<a")
except ResponseParserError: print("ResponseParserError")
print(_looks_like_special_case_error(200, "<a"))
"""
    assert fresh_process(code) == "ResponseParserError\nTrue\n"


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
def test_a_proxy_named_by_a_variable_is_used(variable: str) -> None:
    code = (
        "import handler.app\n"
        "print(handler.app._processor._calendar._client._endpoint.http_session._proxy_config.proxy_url_for('https://a.b'))"
    )
    assert fresh_process(code, {variable: "http://127.0.0.1:1"}) == "http://127.0.0.1:1\n"
    assert fresh_process(code) == "None\n"


def test_credentials_of_a_file_are_used_without_keys_in_variables(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = a-file's\naws_secret_access_key = a-file's\n")
    code = "import handler.app; print(handler.app._processor._calendar._client._request_signer._credentials.access_key)"
    file = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    assert fresh_process(code, file) == "an-emulator's\n"
    assert fresh_process(code, {**file, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}) == "a-file's\n"


def test_an_ordinary_start_loads_nothing_for_other_credentials() -> None:
    code = """
import sys
opened = []
sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event in {"open", "os.listdir"} else None)
import handler.app
print([path for path in opened if "credential_data" in path], any("botocore_data" in path for path in opened))
print({"handler.coldstart.credentials", "handler.client_problems"} & sys.modules.keys())
"""
    assert fresh_process(code) == "[] True\nset()\n"


def test_certificates_are_botocores_own_unless_others_are_named(tmp_path: Path) -> None:
    code = "import handler.app; print(handler.app._processor._calendar._client._endpoint.http_session._verify)"
    assert fresh_process(code) == f"{DEFAULT_CA_BUNDLE}\n"
    assert Path(DEFAULT_CA_BUNDLE).stat().st_size > 100_000
    files = [tmp_path / "own.pem", tmp_path / "other.pem"]
    for file in files:
        file.write_text(Path(DEFAULT_CA_BUNDLE).read_text())
    own, other = {"AWS_CA_BUNDLE": str(files[0])}, {"REQUESTS_CA_BUNDLE": str(files[1])}
    assert fresh_process(code, own | other) == f"{files[0]}\n"
    assert fresh_process(code, other) == f"{files[1]}\n"


def test_a_later_import_gets_the_real_module() -> None:
    code = (
        "import handler.app, asyncio, packaging.requirements, s3transfer.manager, botocore.docs.docstring, stamina\n"
        "async def one(): return 1\n"
        "print(asyncio.run(one()), "
        "packaging.requirements.Requirement('a>1').name, botocore.docs.docstring.__file__ != '')"
    )
    assert fresh_process(code) == "1 a True\n"


@pytest.mark.parametrize(
    ("switch", "operations", "other"),
    [
        ({}, (["transact_write_items"], ["send_message"]), "UnknownServiceError"),
        (STANDARD, (["transact_write_items"], ["send_message"]), "S3"),
    ],
    ids=["fast", "standard"],
)
def test_both_clients(switch: Mapping[str, str], operations: tuple[list[str], list[str]], other: str) -> None:
    code = f"""
import os, handler.app
from handler.aws import create_client, dynamodb_client, sqs_client
from handler.settings import load_settings
settings = load_settings(os.environ)
for client in (dynamodb_client(settings), sqs_client(settings)):
    methods = client.meta.method_to_api_mapping
    print([name for name in methods if name in {operations[0] + operations[1]!r}], len(methods) > 5)
try: print(type(create_client('s3', settings)).__name__)
except Exception as error: print(type(error).__name__)
"""
    assert fresh_process(code, switch) == "".join(f"{names} {bool(switch)}\n" for names in operations) + f"{other}\n"


def test_both_sessions_configure_clients_alike() -> None:
    code = """
import handler.app
client = handler.app._processor._calendar._client
config = {name: value for name, value in vars(client.meta.config).items() if not name.startswith(("_", "user_agent"))}
session = client._endpoint.http_session
print(sorted(config.items(), key=str), client.meta.endpoint_url, client.meta.region_name, session._timeout)
"""
    assert fresh_process(code) == fresh_process(code, STANDARD)


def test_standard_uses_nothing_of_the_cold_start() -> None:
    code = """
import os, re, sys
compile = re.compile
import handler.app
from handler.coldstart.lazy_imports import DEFERRED_MODULES, LazyPattern
print(sorted(name for name in sys.modules if name.startswith("handler.coldstart")))
print([name for name in DEFERRED_MODULES if name not in sys.modules])
import botocore.utils
print(re.compile is compile, type(botocore.utils.LABEL_RE).__name__)
client = handler.app._processor._calendar._client
print(type(client._request_signer._credentials).__module__, len(client.meta.service_model.operation_names) > 50)
"""
    assert fresh_process(code, STANDARD) == (
        "['handler.coldstart', 'handler.coldstart.lazy_imports']\n[]\nTrue Pattern\nbotocore.credentials True\n"
    )


def test_re_and_the_garbage_collector_are_restored() -> None:
    code = (
        "import gc, re\ncompile = re.compile\nimport handler.app\n"
        "print(re.compile is compile, type(re.compile('a')).__name__, gc.isenabled(), gc.get_freeze_count() > 0)"
    )
    assert fresh_process(code) == "True Pattern True True\n"


def test_a_number_of_any_length_can_be_read() -> None:
    code = "import handler.app, json; print(json.loads('9' * 5000) % 10)"
    assert fresh_process(code) == "9\n"


def test_botocore_can_read_a_date_after_a_fast_start() -> None:
    code = (
        "import handler.app, botocore.utils; print(botocore.utils.parse_timestamp('2026-02-03T04:05:06Z').isoformat())"
    )
    assert fresh_process(code) == "2026-02-03T04:05:06+00:00\n"


def test_no_library_passes_a_lazy_pattern_to_a_function_of_re() -> None:
    """`re.split(pattern, text)` takes a string or a real pattern."""
    code = """
import ast, inspect, sys
import handler.app
from handler.coldstart.lazy_imports import LazyPattern

lazy = misused = 0
for module in list(sys.modules.values()):
    owners = [module, *(value for value in vars(module).values() if isinstance(value, type))]
    names = {name for owner in owners for name, value in vars(owner).items() if isinstance(value, LazyPattern)}
    lazy += len(names)
    for node in ast.walk(ast.parse(inspect.getsource(module) if names else "")):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        function, first = ast.unparse(node.func).rpartition(".")[2], ast.unparse(node.args[0]).rpartition(".")[2]
        of_re = function in {"match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
        if of_re and ast.unparse(node.func) in {function, "re." + function} and first in names:
            misused += 1
            print(module.__name__, node.lineno)
print(lazy > 50, misused)
"""
    assert fresh_process(code) == "True 0\n"


def test_a_lazy_pattern_behaves_as_the_pattern() -> None:
    pattern = LazyPattern("a(b+)", 0)
    match = pattern.match("abb")
    assert match is not None
    assert match[1] == "bb"
    assert "match" in vars(pattern), "and is not looked up again"
    assert (pattern.pattern, pattern.sub("-", "xabx")) == ("a(b+)", "x-x")
    assert pattern == LazyPattern("a(b+)", 0)
    assert pattern != LazyPattern("a", 0)
    assert hash(pattern) == hash(LazyPattern("a(b+)", 0))
