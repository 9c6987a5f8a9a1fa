"""A rule is broken rarely, and each time with its reason: `# noqa: RULE - reason`."""

import re

from emulator.environment import PROJECT_ROOT
from tests.support.tree import project_files

COMMENT = re.compile(r"# (?:ruff: )?noqa\b.*")
STYLE = re.compile(r"# (?:ruff: )?noqa: [A-Z]+[0-9]+(?:, [A-Z]+[0-9]+)* - \S.*")


def test_every_noqa_has_a_reason() -> None:
    comments = [
        (path.relative_to(PROJECT_ROOT).as_posix(), comment)
        for path in project_files(PROJECT_ROOT, "*.py")
        if path.name != "test_noqa.py"
        for comment in COMMENT.findall(path.read_text(encoding="utf-8"))
    ]

    assert [(file, comment) for file, comment in comments if not STYLE.fullmatch(comment)] == []
    assert 0 < len(comments) < 100
