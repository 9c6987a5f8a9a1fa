"""The whole table: who is in it, what is refused, how it reads, and small real runs of the variants."""

import dataclasses
import io
import json
import subprocess
import sys
import sysconfig
import tomllib
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench import comparison, environments, run, table, variant_list
from bench.certificates import make_certificates
from bench.environments import GROUPS, install
from bench.measure import BenchError, Memory, memory
from bench.measure import run as measured
from bench.origin import LIBRARIES, versions
from bench.run import Figures, Instructions, measure
from bench.stub import kind
from bench.target import NO_HANDLER, ROOT, TELEMETRY_LINES, Ports, Target
from bench.variant_list import PLAIN, PLAIN_TLS, VARIANTS, Variant, baseline_of, chosen
from tests.support.thorough import few

BY_NAME = {variant.name: variant for variant in VARIANTS}
MEMORY = Memory(
    peak_kb=2048.0,
    peaks_kb=(2048,),
    modules_before=30,
    modules_init=359,
    modules_first=3,
    attempts_per_event=1.0,
    datagrams_per_event=0.0,
    datagram_bytes_per_event=0.0,
    stdout_bytes_per_event=300.0,
)


def figures(million: int, *, launch: int = 0, peak_kb: float = 2048.0) -> Figures:
    counted = Instructions(init=million * 10**6, first=10**6, cold=(million + 1) * 10**6, warm=5e6, launch=launch)
    return Figures(counted, dataclasses.replace(MEMORY, peak_kb=peak_kb))


def here(variant: Variant) -> Target:
    """The variant in the interpreter that runs the tests, whose packages include those of most variants."""
    first = Path(sysconfig.get_path("purelib"), "opentelemetry/instrumentation/auto_instrumentation")
    path = (str(first),) if variant.instrumented else ()
    return dataclasses.replace(variant.target(None), python=sys.executable, path=path)


def measure_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the numbers to the benchmark."""
    monkeypatch.setattr(run, "MEMORY_EVENTS", 2)
    monkeypatch.setattr(run, "memory", lambda target, events: memory(target, events, times=1))


@pytest.mark.parametrize(
    ("head", "counted"),
    [
        ("POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.TransactWriteItems", "transactions"),
        ("POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.PutItem", "idempotency_requests"),
        ("POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.UpdateItem", "idempotency_requests"),
        ("POST /v1/traces HTTP/1.1\r\nContent-Type: application/x-protobuf", "otlp_requests"),
        ("POST /v1/metrics HTTP/1.1", "otlp_requests"),
        ("POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.PutItems", "other_requests"),
        ("GET /v1/traces HTTP/1.1", "other_requests"),
        ("PUT /latest/api/token HTTP/1.1", "other_requests"),
    ],
)
def test_what_the_stub_counts_a_request_as(head: str, counted: str) -> None:
    assert kind(head.lower().encode()) == counted


def test_every_variant_has_an_environment_that_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for variant in VARIANTS:
        words = GROUPS[variant.environment]
        groups = [word for word in words if word.startswith("bench-")]
        assert all(group in project["dependency-groups"] for group in groups)
        assert not set(groups) & set(project["tool"]["uv"]["default-groups"])  # a developer's set-up stays small
        assert find_spec(variant.module) is not None
    assert len(BY_NAME) == len(VARIANTS)


def test_libraries_are_those_of_the_lock(tmp_path: Path) -> None:
    assert list(versions(ROOT / "uv.lock", LIBRARIES)) == list(LIBRARIES)
    lock = tmp_path / "uv.lock"
    lock.write_text("package = []\n")
    with pytest.raises(KeyError, match="boto3"):
        versions(lock, LIBRARIES)


def test_all_are_measured_unless_names_are_given() -> None:
    assert chosen(()) == list(VARIANTS)
    assert [variant.name for variant in chosen(("floor",))] == ["v0", "floor"]
    assert [variant.name for variant in chosen(("direct-tls", "direct"))] == ["v0", "direct", "v0-tls", "direct-tls"]


def test_unknown_name_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert table.main(["v1"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("bench: no such variant: v1; there are v0, ")
    assert said.err.count("\n") == 1


def test_ratios_are_to_the_plain_function_with_the_same_transport() -> None:
    found = {"v0": figures(100), "direct": figures(50), "v0-tls": figures(200), "direct-tls": figures(150)}
    assert {name: ratio["init"] for name, ratio in comparison.compared(found).items()} == {
        "v0": 1.0,
        "direct": 0.5,
        "v0-tls": 1.0,
        "direct-tls": 0.75,
    }
    assert {baseline_of(variant).name for variant in VARIANTS} == {PLAIN.name, PLAIN_TLS.name}


def test_table_is_markdown_with_the_absolute_figures_below() -> None:
    found = {"adot": figures(253, launch=45 * 10**6, peak_kb=3072.0), "v0": figures(100)}
    head, rule, plain, layer, blank, absolutes, launch = comparison.table(found).splitlines()
    cells = [cell.strip() for cell in layer.strip("|").split("|")]
    assert cells == ["V0 in the ADOT layer, default", "2.53", "1.00", "2.51", "1.00", "1.50", "359", "1", "0", "300"]
    assert len({len(line) for line in (head, rule, plain, layer)}) == 1
    assert {len(line.split("|")) for line in (head, rule, plain, layer)} == {len(cells) + 2}
    assert blank == ""
    assert absolutes.endswith(
        "init 100 M instructions, first event 1 M instructions, warm event 5 M instructions, peak memory 2.0 MiB"
    )
    assert launch == "- V0 in the ADOT layer, default: 0.45 of its init is `opentelemetry-instrument`"


def test_table_without_a_counter_has_memory() -> None:
    text = comparison.table({"v0": Figures(None, MEMORY)})
    assert [cell.strip() for cell in text.splitlines()[2].split("|")][2:7] == ["-", "-", "-", "-", "1.00"]
    assert "instructions" not in text.splitlines()[-1]


def test_environment_needs_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BenchError, match=r"^uv is not on the PATH, and the variable UV does not name it$"):
        install("plain")


def test_environment_that_uv_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\necho first >&2\necho 'error: the lock is old' >&2\nexit 2\n")
    uv.chmod(0o755)
    monkeypatch.setenv("UV", str(uv))
    with pytest.raises(BenchError, match=r"^uv does not make the environment plain: error: the lock is old$"):
        install("plain")


def test_environment_is_made_from_the_lock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text('#!/bin/sh\n{ echo "$@"; echo "$UV_PROJECT_ENVIRONMENT"; } >"$0.said"\n')
    uv.chmod(0o755)
    monkeypatch.setenv("UV", str(uv))
    install("powertools")
    words, where = Path(f"{uv}.said").read_text().splitlines()
    assert words.startswith("sync --locked ")
    assert words.endswith(" --only-group bench-powertools")
    assert Path(where) == environments.interpreter("powertools").parent.parent


@pytest.mark.parametrize(
    "name",
    few(["layer", "adot", "otel-http", "floor", "slim", "otel-udp", "collector", "adot-fast", "layer-full"], of=3),
)
def test_variant_makes_the_write_and_sends_what_it_should(name: str) -> None:
    seen = measured(here(BY_NAME[name]), 2).seen
    assert seen["transactions"] == 2
    assert seen["connections"] >= 1


def test_tls_is_used_and_verified(tmp_path: Path) -> None:
    authorities = tmp_path / "authorities.pem"
    authorities.touch()
    certificates = make_certificates(tmp_path, authorities)
    target = dataclasses.replace(here(BY_NAME["floor"]), certificates=certificates)
    assert measured(target, 2).seen["transactions"] == 2
    stranger = dataclasses.replace(certificates, bundle=_other_authority(tmp_path))
    with pytest.raises(BenchError, match="certificate verify failed"):
        measured(dataclasses.replace(target, certificates=stranger), 1)


def _other_authority(directory: Path) -> Path:
    other = directory / "other"
    other.mkdir()
    (other / "authorities.pem").touch()
    return make_certificates(other, other / "authorities.pem").bundle


def test_silent_telemetry_is_not_measured() -> None:
    silent = dataclasses.replace(here(BY_NAME["floor"]), sends="datagrams")
    with pytest.raises(BenchError, match=r"^bench\.variants\.raw_http sent 0 datagrams for 2 events$"):
        measured(silent, 2)


def test_silent_telemetry_on_standard_output_is_not_measured() -> None:
    """Lambda's log is where some send it; their own log lines do not count."""
    loud = dataclasses.replace(here(BY_NAME["floor"]), sends=TELEMETRY_LINES, telemetry_line='"event processed"')
    assert measured(loud, 2).seen[TELEMETRY_LINES] == 2
    silent = dataclasses.replace(loud, telemetry_line='{"traces": ')
    with pytest.raises(BenchError, match=r"^bench\.variants\.raw_http sent 0 telemetry_lines for 2 events$"):
        measured(silent, 2)


def test_a_function_under_memory_pressure_is_not_measured() -> None:
    """It drops optional detail of its spans; under valgrind, 128 MB would be too small."""
    direct = here(BY_NAME["direct"])
    small = dataclasses.replace(direct, environ={**direct.environ, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "16"})
    with pytest.raises(BenchError, match=r"^handler\.app dropped optional detail"):
        measured(small, 2)


def test_every_variant_is_plain_or_sends_something() -> None:
    plain = {variant.name for variant in VARIANTS if not variant.sends}
    assert plain == {"v0", "slim", "floor", "v0-tls", "floor-tls"}
    assert all(bool(variant.telemetry_line) == (variant.sends == TELEMETRY_LINES) for variant in VARIANTS)


def test_request_that_the_stub_does_not_know_is_refused() -> None:
    with pytest.raises(BenchError, match=r"^tests\.unit\.bench\.stray sent 1 requests that the stub does not know$"):
        measured(Target("tests.unit.bench.stray"), 1)


def test_what_comes_before_the_handler_is_part_of_its_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    measure_little(monkeypatch)
    (tmp_path / "sitecustomize.py").write_text("import decimal, numbers\n")
    floor = here(BY_NAME["floor"])
    targets = {"floor": floor, "more": dataclasses.replace(floor, path=(str(tmp_path),))}
    found, interpreter = measure(targets, Target(NO_HANDLER), 1, None)
    assert found["more"].memory.modules_init >= found["floor"].memory.modules_init + 2
    assert interpreter.memory.modules_init == 0


def test_launcher_ends_where_the_process_would_begin() -> None:
    ports = Ports(http=1, udp=1)
    done = subprocess.run(
        [sys.executable, "-P", "bench/instrument_launcher.py"],
        env=Target(NO_HANDLER).variables(ports, "/tmp"),
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_floor_signs_as_botocore_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:8000")
    monkeypatch.delitem(sys.modules, "bench.variants.raw_http", raising=False)
    floor = import_module("bench.variants.raw_http")
    body = b'{"TransactItems": []}'
    headers = {"Content-Type": floor.CONTENT_TYPE, "X-Amz-Target": floor.TARGET}
    request = AWSRequest("POST", "http://127.0.0.1:8000/", headers, body)
    SigV4Auth(Credentials(floor.KEY_ID, floor.SECRET, floor.TOKEN), "dynamodb", floor.REGION).add_auth(request)
    assert floor._authorization(body, request.headers["X-Amz-Date"]) == request.headers["Authorization"]


def test_json_is_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    measure_little(monkeypatch)
    monkeypatch.setattr(table, "find_counter", lambda: None)
    monkeypatch.setattr(table, "install", lambda _: None)
    monkeypatch.setattr(variant_list, "interpreter", lambda _: sys.executable)
    monkeypatch.setattr(table, "site_packages", lambda _: Path(sysconfig.get_path("purelib")))
    with redirect_stdout(io.StringIO()) as out:
        assert table.main(["--json", "floor"]) == 0
    said = json.loads(out.getvalue())
    assert set(said["figures"]) == {"v0", "floor"}
    assert said["ratios"]["floor"]["peak_kb"] < 1
    assert said["counter"] is None
    assert said["libraries"]["boto3"]
    assert set(comparison.figures_of(said)) == set(said["figures"])  # what a recorded run is read as


def test_what_is_recorded_is_a_whole_run(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--record", "floor"], ["--record", "--events", "5"]):
        with pytest.raises(SystemExit):
            table.main(arguments)
        assert "--record needs all variants and the default number of events" in capsys.readouterr().err
    with pytest.raises(BenchError, match="without instructions is not recorded"):
        table.record({"counter": None})
