"""The lean start leaves out what it says, for a reason that still holds, and nothing that is used."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from botocore.httpsession import DEFAULT_CA_BUNDLE

from handler.coldstart.lazy_imports import (
    DEFERRED_MODULES,
    NO_OP_PREFIXES,
    UNAVAILABLE_MODULES,
    DeferredAttribute,
    LazyPattern,
)
from handler.coldstart.stubs import ImportPhase

SETTINGS = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "an-emulator's",
    "AWS_SECRET_ACCESS_KEY": "an-emulator's",
    "DEAD_LETTER_QUEUE_URL": "http://127.0.0.1:9/queue",
}


def in_a_fresh_process(code: str, extra: Mapping[str, str] | None = None) -> str:
    """What the code prints; a start has to be looked at where nothing has been imported yet."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**SETTINGS, **(extra or {})},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stderr == ""
    return run.stdout


@pytest.mark.parametrize("package", DEFERRED_MODULES)
def test_what_is_left_out_is_not_loaded_by_a_start(package: str) -> None:
    code = (
        f"import sys, handler.app; print([name for name in sys.modules if (name + '.').startswith({package + '.'!r})])"
    )
    assert in_a_fresh_process(code) == "[]\n"


@pytest.mark.parametrize("package", [name for name in (*DEFERRED_MODULES, *UNAVAILABLE_MODULES) if name != "psutil"])
def test_it_would_be_loaded_if_it_were_not_left_out(package: str) -> None:
    # boto3.resources builds on classes of the others, so it loads only together with them.
    code = (
        "import os, sys\n"
        "from handler.coldstart import lazy_imports\n"
        f"for name in ({package!r}, 's3transfer', 'botocore.docs', 'concurrent'):\n"
        "    lazy_imports.DEFERRED_MODULES.pop(name, None)\n"
        "names = lazy_imports.UNAVAILABLE_MODULES\n"
        f"lazy_imports.UNAVAILABLE_MODULES = tuple(name for name in names if name != {package!r})\n"
        "class Asked:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {package!r}: print(True, flush=True); os._exit(0)\n"
        "sys.meta_path.insert(0, Asked())\n"
        "import handler.app; print(False)"
    )
    assert in_a_fresh_process(code) == "True\n"


def test_nothing_left_out_is_caught_compared_with_or_inherited_from() -> None:
    """What was imported by its own name (`from ipaddress import ip_address`) may be called, and no more.

    What belongs to a module (`decimal.Decimal` after `import decimal`) is looked up when it is used.
    """
    code = """
import ast, inspect, sys
import handler.app
from handler.coldstart.lazy_imports import DeferredAttribute

known = 0
for module in list(sys.modules.values()):
    later = {name: vars(value)["_name"] for name, value in vars(module).items() if type(value) is DeferredAttribute}
    known += len(later)
    for node in ast.walk(ast.parse(inspect.getsource(module) if later else "")):
        places = []
        if isinstance(node, ast.ExceptHandler) and node.type:
            places = [node.type]
        elif isinstance(node, ast.ClassDef):
            places = node.bases
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"isinstance", "issubclass"}:
            places = node.args[1:]
        elif isinstance(node, ast.Compare):
            places = [node.left, *node.comparators]
        for name in [part.id for place in places for part in ast.walk(place) if isinstance(part, ast.Name)]:
            if name in later:
                print(module.__name__, later[name], node.lineno)
print(known > 20)
"""
    assert in_a_fresh_process(code) == "True\n"


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
def test_a_proxy_named_by_a_variable_is_used(variable: str) -> None:
    code = (
        "import handler.app\n"
        "print(handler.app._processor._calendar._client._endpoint.http_session._proxy_config.proxy_url_for('https://a.b'))"
    )
    assert in_a_fresh_process(code, {variable: "http://127.0.0.1:1"}) == "http://127.0.0.1:1\n"
    assert in_a_fresh_process(code) == "None\n"


def test_credentials_that_are_not_in_the_variables_are_looked_for_where_botocore_does(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = a-file's\naws_secret_access_key = a-file's\n")
    code = "import handler.app; print(handler.app._processor._calendar._client._request_signer._credentials.access_key)"
    file = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    assert in_a_fresh_process(code, file) == "an-emulator's\n"
    assert in_a_fresh_process(code, {**file, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}) == "a-file's\n"


def test_nothing_for_credentials_from_elsewhere_is_loaded_by_an_ordinary_start() -> None:
    code = """
import sys
opened = []
sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event in {"open", "os.listdir"} else None)
import handler.app
print([path for path in opened if "credential_data" in path], any("botocore_data" in path for path in opened))
print({"handler.credentials", "handler.client_problems"} & sys.modules.keys())
"""
    assert in_a_fresh_process(code) == "[] True\nset()\n"


def test_certificates_are_botocores_own_unless_others_are_named(tmp_path: Path) -> None:
    code = "import handler.app; print(handler.app._processor._calendar._client._endpoint.http_session._verify)"
    assert in_a_fresh_process(code) == f"{DEFAULT_CA_BUNDLE}\n"
    assert Path(DEFAULT_CA_BUNDLE).stat().st_size > 100_000
    files = [tmp_path / "own.pem", tmp_path / "other.pem"]
    for file in files:
        file.write_text(Path(DEFAULT_CA_BUNDLE).read_text())
    own, other = {"AWS_CA_BUNDLE": str(files[0])}, {"REQUESTS_CA_BUNDLE": str(files[1])}
    assert in_a_fresh_process(code, own | other) == f"{files[0]}\n"
    assert in_a_fresh_process(code, other) == f"{files[1]}\n"


def test_the_real_modules_are_there_for_whoever_imports_them_later() -> None:
    code = (
        "import handler.app, asyncio, packaging.requirements, s3transfer.manager, botocore.docs.docstring, stamina\n"
        "async def one(): return 1\n"
        "print(asyncio.run(one()), "
        "packaging.requirements.Requirement('a>1').name, botocore.docs.docstring.__file__ != '')"
    )
    assert in_a_fresh_process(code) == "1 a True\n"


def test_both_clients_are_made_after_a_lean_start_and_no_other_can_be() -> None:
    code = (
        "import os, handler.app\n"
        "from handler.aws import dynamodb_client, make_client, sqs_client\n"
        "from handler.settings import load_settings\n"
        "settings = load_settings(os.environ)\n"
        "print(dynamodb_client(settings).meta.method_to_api_mapping, sqs_client(settings).meta.method_to_api_mapping)\n"
        "try: make_client('s3', settings)\n"
        "except Exception as error: print(type(error).__name__)"
    )
    assert in_a_fresh_process(code) == (
        "{'transact_write_items': 'TransactWriteItems'} {'send_message': 'SendMessage'}\nUnknownServiceError\n"
    )


def test_regular_expressions_and_the_collector_are_as_before_after_the_start() -> None:
    code = (
        "import gc, re\ncompile = re.compile\nimport handler.app\n"
        "print(re.compile is compile, type(re.compile('a')).__name__, gc.isenabled(), gc.get_freeze_count() > 0)"
    )
    assert in_a_fresh_process(code) == "True Pattern True True\n"


def test_a_number_of_any_length_can_be_read_after_a_start() -> None:
    code = "import handler.app, json; print(json.loads('9' * 5000) % 10)"
    assert in_a_fresh_process(code) == "9\n"


def test_what_was_left_out_must_not_be_called_while_libraries_load_and_is_the_real_thing_afterwards() -> None:
    phase = ImportPhase()
    encode = DeferredAttribute("json", phase).dumps
    with pytest.raises(TypeError, match="left out"):
        encode([1])
    with pytest.raises(TypeError, match="left out"):
        bool(encode)
    phase.importing = False
    assert encode([1]) == "[1]"


def test_what_was_left_out_is_no_class() -> None:
    for misuse in (
        lambda: type("Sub", (DeferredAttribute("asyncio.Lock", ImportPhase()),), {}),  # type: ignore[arg-type]
        lambda: isinstance(1, DeferredAttribute("asyncio.Lock", ImportPhase())),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError):
            misuse()


@pytest.mark.parametrize("prefix", NO_OP_PREFIXES)
def test_what_botocore_calls_for_every_client_stays_without_effect(prefix: str) -> None:
    phase = ImportPhase()
    phase.importing = False
    left_out = DeferredAttribute(f"{prefix}docstring", phase).ClientMethodDocstring
    assert left_out(operation_model=None) is left_out


def test_botocore_can_read_a_date_after_a_lean_start() -> None:
    code = (
        "import handler.app, botocore.utils; print(botocore.utils.parse_timestamp('2026-02-03T04:05:06Z').isoformat())"
    )
    assert in_a_fresh_process(code) == "2026-02-03T04:05:06+00:00\n"


def test_no_library_gives_a_lazy_pattern_to_a_function_of_re() -> None:
    """`re.split(pattern, text)` takes a string or a real pattern, and nothing that behaves as one."""
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
    assert in_a_fresh_process(code) == "True 0\n"


def test_a_lazy_pattern_behaves_as_the_pattern() -> None:
    pattern = LazyPattern("a(b+)", 0)
    match = pattern.match("abb")
    assert match is not None
    assert match[1] == "bb"
    assert (pattern.pattern, pattern.sub("-", "xabx")) == ("a(b+)", "x-x")
