"""docker-compose.yml: valid, safe on a developer's machine, and as far as images can be had here, at work."""

import http.client
import json
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from emulator.environment import INVOCATION_PATH
from handler.outcome import INSTRUMENTATION
from tests.support.containers import ROOT

EVENT = ROOT / "deploy" / "compose" / "event.json"
_STARTED_SECONDS = 300

Compose = Callable[..., str]


@pytest.fixture(scope="module")
def compose(docker_command: str, docker_config: str, base_image: str) -> Compose:
    """Runs docker compose on a project of the tests' own, with free ports."""
    project = f"mep-test-{uuid.uuid4().hex[:8]}"
    ports = {f"{name}_PORT": "0" for name in ("FUNCTION", "DYNAMODB", "QUEUE", "COLLECTOR", "JAEGER")}
    environment = {**os.environ, **ports, "BASE_IMAGE": base_image}
    if docker_config:
        environment["DOCKER_CONFIG"] = docker_config

    def run(*arguments: str, files: tuple[str, ...] = ("docker-compose.yml",)) -> str:
        options = ["--project-name", project, "--project-directory", "."]
        for file in files:
            options += ["--file", file]
        result = subprocess.run(
            [docker_command, "compose", *options, *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_STARTED_SECONDS,
        )
        assert result.returncode == 0, result.stderr[-4000:]
        return result.stdout

    return run


@pytest.fixture(scope="module")
def services(compose: Compose) -> dict[str, Any]:
    """The services, as docker compose understands them."""
    found: dict[str, Any] = json.loads(compose("config", "--format", "json"))["services"]
    return found


@pytest.fixture
def stack(compose: Compose, image: str) -> Iterator[Compose]:
    """The function, DynamoDB Local and the queue, started, with a collector that shows what came."""
    files = ("docker-compose.yml", "tests/system/image/compose.yaml")

    def run(*arguments: str) -> str:
        return compose(*arguments, files=files)

    try:
        run("up", "--build", "--detach", "--wait", "function", "collector")
        yield run
    finally:
        run("down", "--volumes", "--remove-orphans", "--timeout", "1")


def test_it_has_all_parts(services: dict[str, Any]) -> None:
    assert services.keys() == {"function", "tables", "dynamodb", "queue", "collector", "jaeger"}
    assert services["collector"]["image"].startswith("public.ecr.aws/aws-observability/aws-otel-collector:v")


def test_every_port_is_on_loopback(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 5
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}


def test_images_are_of_a_version(services: dict[str, Any]) -> None:
    pulled = [service["image"] for service in services.values() if "build" not in service]
    assert len(pulled) == 4
    assert [name for name in pulled if ":" not in name or name.endswith(":latest")] == []


def test_what_stays_up_has_a_health_check(services: dict[str, Any]) -> None:
    assert {name for name, service in services.items() if "healthcheck" not in service} == {"tables"}


def test_the_function_runs_under_lambdas_conditions(services: dict[str, Any]) -> None:
    function = services["function"]
    assert function["read_only"] is True
    assert (int(function["mem_limit"]), int(function["memswap_limit"])) == (128 * 1024**2, 128 * 1024**2)
    assert (function["user"], function["cap_drop"]) == ("993:990", ["ALL"])
    assert function["security_opt"] == ["no-new-privileges:true"]
    assert function["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector:4318"


def test_the_collector_indexes_what_the_function_annotates(services: dict[str, Any]) -> None:
    mounted = {volume["target"]: volume["source"] for volume in services["collector"]["volumes"]}
    assert mounted["/etc/otel/collector.yaml"] == str(ROOT / "deploy" / "compose" / "collector.yaml")
    config = yaml.safe_load((ROOT / "deploy" / "compose" / "collector.yaml").read_text())
    assert config["exporters"]["awsxray"]["indexed_attributes"] == list(INSTRUMENTATION.annotations)
    assert config["receivers"]["otlp"]["protocols"]["http"]["endpoint"].endswith(":4318")


@pytest.mark.timeout(600, func_only=True)
def test_the_documented_command_sends_an_event(stack: Compose) -> None:
    host, _, port = stack("port", "function", "8080").strip().partition(":")
    replies = []
    for _ in range(2):
        with closing(http.client.HTTPConnection(host, int(port), timeout=60)) as connection:
            connection.request("POST", INVOCATION_PATH, EVENT.read_bytes())
            replies.append(json.loads(connection.getresponse().read()))
    assert [reply["outcome"] for reply in replies] == ["marked", "duplicate"]
    assert "7 new rows" in stack("logs", "tables")
    # What the real collector would have got.
    lines = [line.split(maxsplit=1)[-1] for line in stack("logs", "--no-log-prefix", "collector").splitlines()]
    requests = [ExportTraceServiceRequest.FromString(bytes.fromhex(line)) for line in lines if line]
    spans = [span for request in requests for part in request.resource_spans for span in part.scope_spans[0].spans]
    correlation_ids = {
        pair.value.string_value for span in spans for pair in span.attributes if pair.key == "correlation_id"
    }
    assert correlation_ids == {json.loads(EVENT.read_text())["detail"]["correlation_id"]}
