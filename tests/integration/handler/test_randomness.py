"""Which modules draw from the process-wide generator of random numbers, whose state restored sandboxes share.

`tests/integration/test_restore.py` looks at what comes out of the function; here a new module is found before it does
harm. In the layer, that generator is seeded after a restore: only a generator of somebody's own would matter.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from emulator.environment import PROJECT_ROOT, FunctionConfig

KNOWN: Mapping[str, str] = {
    "botocore.retries.standard": "delays of its own retries: it has one attempt in total",
    "botocore.utils": "when credentials of the instance metadata service expire; made-up parameters for its stub",
    "email.utils": "`make_msgid`, for mail",
    "opentelemetry.sdk.trace.id_generator": "the SDK's own IDs: the provider has `KernelIds`",
    "stamina._core": "its own delays: `on=` returns ours",
    "tenacity.wait": "its own delays: stamina's are used",
    "urllib3.util.retry": "delays of its own retries: botocore switches them off",
    "uuid": "`uuid1` and `getnode`: the function uses `uuid4`, which is the kernel's",
}
"""Modules that can, and for what, which the function does not use."""

SCAN = """
import ast, gc, json, random, re, sys
import handler.app, stamina

imports = re.compile("^[ \t]*(import|from) .*random", re.MULTILINE)  # to parse every module takes seconds

def draws(node):
    if isinstance(node, ast.Import):
        return any(alias.name == "random" for alias in node.names)
    if isinstance(node, ast.ImportFrom) and node.module == "random":
        return any(alias.name != "SystemRandom" for alias in node.names)
    return False

found = set()
for name, module in list(sys.modules.items()):
    file = getattr(module, "__file__", None) or ""
    if file.endswith(".py") and name != "random":
        with open(file, encoding="utf-8") as opened:
            source = opened.read()
        if imports.search(source) and any(map(draws, ast.walk(ast.parse(source)))):
            found.add(name)
gc.unfreeze()
generators = [thing for thing in gc.get_objects() if isinstance(thing, random.Random)]
own = [repr(each) for each in generators if each is not random._inst and not isinstance(each, random.SystemRandom)]
print(json.dumps({"modules": sorted(found), "generators": own, "seen": random._inst in generators}))
"""


def start(**environ: str) -> Any:
    """What is there after the start, and after the first retry's imports, in a process of its own."""
    config = FunctionConfig(settings={"DEAD_LETTER_QUEUE_URL": "http://127.0.0.1:9/queue", **environ})
    given = config.environment("127.0.0.1:9")
    wrapper = given.get("AWS_LAMBDA_EXEC_WRAPPER")
    command = [*([wrapper] if wrapper else ()), sys.executable, "-c", SCAN]
    run = subprocess.run(command, env=given, capture_output=True, text=True, check=True, timeout=100)
    return json.loads(run.stdout)


@pytest.mark.parametrize(
    "environ", [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}], ids=["direct", "collector"]
)
def test_each_module_that_can_draw_from_it_is_known(environ: dict[str, str]) -> None:
    assert start(**environ) == {"modules": sorted(KNOWN), "generators": [], "seen": True}


@pytest.mark.parametrize("fast", ["true", "false"])
def test_the_layer_has_no_generator_but_the_one_that_is_seeded(fast: str) -> None:
    wrapper = str(PROJECT_ROOT / "deploy" / "image" / "layer" / "otel-instrument")
    found = start(
        AWS_LAMBDA_EXEC_WRAPPER=wrapper,
        OTEL_AWS_LAMBDA_FAST_START=fast,
        AWS_LAMBDA_INITIALIZATION_TYPE="snap-start",
    )

    assert (found["generators"], found["seen"]) == ([], True)
    ours = {name for name in found["modules"] if name.partition(".")[0] in {"handler", "otel"}}
    assert ours == {"handler.snapshot.hooks"}, "it seeds it"
