"""The workflows of GitHub run the project's own checks, with pinned actions and few permissions."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from emulator.environment import PROJECT_ROOT
from tests.support.tree import project_files

WORKFLOWS = sorted((PROJECT_ROOT / ".github" / "workflows").glob("*.yml"))
JOBS = [
    (path.stem, name, job)
    for path in WORKFLOWS
    for name, job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items()
]
IDS = [f"{workflow}-{name}" for workflow, name, _ in JOBS]

_USES = re.compile(r"^\s*(?:- )?uses: (?P<action>[^@\s]+)@(?P<revision>\S+)(?: # (?P<version>\S+))?$", re.MULTILINE)


def _load(name: str) -> dict[Any, Any]:
    path = PROJECT_ROOT / ".github" / "workflows" / f"{name}.yml"
    content: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def _commands(job: Mapping[str, Any]) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def _actions() -> Iterator[re.Match[str]]:
    for path in WORKFLOWS:
        yield from _USES.finditer(path.read_text(encoding="utf-8"))


def test_each_step_of_the_checks_is_a_job() -> None:
    listed = subprocess.run([".ci/run", "--list"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    job = _load("ci")["jobs"]["step"]

    assert job["strategy"]["matrix"]["step"] == listed.stdout.split()
    assert job["steps"][-1]["run"] == '.ci/run "$STEP"'
    assert job["steps"][-1]["env"] == {"STEP": "${{ matrix.step }}"}


def test_each_listed_step_is_a_function() -> None:
    script = (PROJECT_ROOT / ".ci" / "run").read_text(encoding="utf-8")
    listed = re.search(r"^steps=\((.*)\)$", script, re.MULTILINE)
    assert listed is not None
    assert [name for name in listed[1].split() if not re.search(rf"^{name}\(\) \{{", script, re.MULTILINE)] == []


def test_an_unknown_step_runs_nothing() -> None:
    result = subprocess.run(
        [".ci/run", "lint", "none"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False, timeout=30
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("no such step: none")


def test_pull_requests_and_main_are_checked() -> None:
    events = _load("ci")[True]  # YAML 1.1 reads the key `on` as true
    assert "pull_request" in events
    assert events["push"] == {"branches": ["main"]}


def test_every_action_is_pinned_by_its_commit() -> None:
    actions = list(_actions())
    assert len(actions) >= 10
    for action in actions:
        assert re.fullmatch(r"[0-9a-f]{40}", action["revision"]), action[0]
        assert re.fullmatch(r"v\d+\.\d+\.\d+", action["version"] or ""), action[0]


def test_no_reference_to_an_action_is_overlooked() -> None:
    """Each `uses:` is pinned by a commit, or is a workflow of this repository."""
    lines = [line for path in WORKFLOWS for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    local = [line for line in lines if "uses: ./.github/workflows/" in line]
    assert len(lines) == len(list(_actions())) + len(local)


def test_one_action_has_one_version() -> None:
    versions: dict[str, set[tuple[str, str]]] = {}
    for use in _actions():
        versions.setdefault(use["action"], set()).add((use["revision"], use["version"]))
    assert {action: pins for action, pins in versions.items() if len(pins) > 1} == {}


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_a_workflow_has_no_permission_of_its_own(path: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert content["permissions"] == {}
    assert "cancel-in-progress" in content["concurrency"]
    assert "${{ github.workflow }}" in content["concurrency"]["group"]


@pytest.mark.parametrize(("workflow", "name", "job"), JOBS, ids=IDS)
def test_a_job_is_limited(workflow: str, name: str, job: Mapping[str, Any]) -> None:
    """A job that calls another workflow has that one's timeouts."""
    if "uses" in job:
        assert job["permissions"] == {"contents": "read"}
        return
    assert 0 < job["timeout-minutes"] <= 60
    for step in job["steps"]:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
            assert "contents" in job["permissions"]
        assert "${{" not in step.get("run", ""), "an expression in a script can inject commands"


def test_only_the_release_writes() -> None:
    writers = {
        f"{workflow}-{name}": {scope for scope, access in job.get("permissions", {}).items() if access == "write"}
        for workflow, name, job in JOBS
    }
    assert {name: scopes for name, scopes in writers.items() if scopes} == {
        "codeql-analyze": {"security-events"},
        "docs-publish": {"pages", "id-token"},
        "deploy-plan": {"id-token"},
        "deploy-apply": {"id-token"},
        "deploy-verify": {"id-token"},
        "release-image": {"packages", "id-token", "attestations"},
        "release-release": {"contents"},
    }


def test_a_deployment_is_reviewed_before_it_is_executed() -> None:
    """The GitHub environment has the reviewers, and is what the role trusts: no access key is stored."""
    jobs = _load("deploy")["jobs"]

    assert list(_load("deploy")[True]) == ["workflow_dispatch"]
    assert (jobs["plan"]["environment"], jobs["apply"]["environment"]) == (
        "${{ inputs.environment }}-plan",
        "${{ inputs.environment }}",
    )
    assert jobs["apply"]["needs"] == "plan"
    plan, apply = _commands(jobs["plan"]), _commands(jobs["apply"])
    assert "--method=prepare-change-set" in plan
    assert "--require-approval=never" in plan
    assert "execute-change-set" not in plan
    assert "execute-change-set" in apply
    assert "make" not in apply, "only what was reviewed"
    assert "secrets." not in (PROJECT_ROOT / ".github" / "workflows" / "deploy.yml").read_text(encoding="utf-8")


def test_what_was_executed_is_verified() -> None:
    """With a role of its own, which may neither deploy nor review: the GitHub environment has no reviewers."""
    jobs = _load("deploy")["jobs"]

    assert jobs["verify"]["needs"] == "apply"
    assert jobs["verify"]["environment"] == "${{ inputs.environment }}-verify"
    assert 'mep verify --environment "$ENVIRONMENT"' in _commands(jobs["verify"])
    assert list(jobs) == ["plan", "apply", "verify"]


def test_the_site_is_published_where_the_repository_has_pages() -> None:
    jobs = _load("docs")["jobs"]
    assert "make docs" in _commands(jobs["build"])
    assert jobs["build"]["steps"][-1]["with"] == {"path": "build/docs/site"}
    assert (jobs["publish"]["needs"], jobs["publish"]["if"]) == ("build", "github.event.repository.has_pages")


def test_the_weekly_run_looks_outside() -> None:
    jobs = _load("scheduled")["jobs"]
    assert _load("scheduled")[True]["schedule"]
    assert "make test-collector" in _commands(jobs["collector"])
    assert "--hypothesis-profile=thorough" in _commands(jobs["thorough"])
    assert "make audit" in _commands(jobs["audit"])
    assert "make image" in _commands(jobs["image"])
    assert jobs["image"]["steps"][-1]["with"]["image"] == "mark-earnings-processed"


def _make(target: str) -> str:
    """Return the commands that a target of the Makefile would run."""
    command = ["make", "--dry-run", target]
    return subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout


def test_the_audit_reads_every_lock_file() -> None:
    commands = _make("audit")
    locks = [path for name in ("uv.lock", "package-lock.json") for path in project_files(PROJECT_ROOT, f"*{name}")]
    folders = [str(path.parent.relative_to(PROJECT_ROOT)) for path in locks]
    assert len(folders) >= 5
    for folder in folders:
        pattern = r"audit .*--locked$" if folder == "." else rf"(--project {folder}|cd {folder} && .* audit .*)$"
        assert re.search(pattern, commands, re.MULTILINE), folder


def test_zizmor_passes() -> None:
    result = _zizmor(PROJECT_ROOT / ".github")
    assert result.returncode == 0, result.stdout


def test_zizmor_finds_what_it_should(tmp_path: Path) -> None:
    """The same command fails for an unpinned action and for a script that an issue title can inject into."""
    workflow = tmp_path / ".github" / "workflows" / "bad.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(
        "on: issues\njobs:\n  bad:\n    runs-on: ubuntu-24.04\n    steps:\n"
        "      - uses: actions/checkout@v7\n      - run: echo ${{ github.event.issue.title }}\n",
        encoding="utf-8",
    )
    result = _zizmor(tmp_path / ".github")
    assert result.returncode != 0
    assert "template-injection" in result.stdout
    assert "unpinned-uses" in result.stdout


def _zizmor(path: Path) -> subprocess.CompletedProcess[str]:
    [hook] = [
        hook
        for hook in yaml.safe_load((PROJECT_ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0][
            "hooks"
        ]
        if hook["id"] == "zizmor"
    ]
    program, *options, target = hook["entry"].split()
    assert target == ".github"
    command = [str(PROJECT_ROOT / program), *options, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_lint_runs_the_checkers_of_workflows() -> None:
    commands = _make("lint")
    assert ".venv/bin/pre-commit run --all-files" in commands
    assert re.search(r"go run github\.com/rhysd/actionlint/cmd/actionlint@v\d+\.\d+\.\d+", commands)
