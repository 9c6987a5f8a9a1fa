"""The check of words finds each word of its list and lets each exception pass."""

import subprocess
from pathlib import Path

import pytest

from tests.docs.words import RULES, Rules, Word, check, findings, read_rules

ALL = read_rules()
EXAMPLES = [(word, example) for word in ALL.words for example in word.examples]
EXEMPTIONS = [(word, fine.example) for word in ALL.words for fine in word.exemptions]


@pytest.mark.parametrize(("word", "text"), EXAMPLES, ids=[text for _, text in EXAMPLES])
def test_an_example_is_found(word: Word, text: str) -> None:
    assert [found.use for found in findings(f"First line.\n{text}", [word])] == [word.use]


@pytest.mark.parametrize(("word", "text"), EXEMPTIONS, ids=[text for _, text in EXEMPTIONS])
def test_an_exception_passes(word: Word, text: str) -> None:
    assert not list(findings(text, [word]))
    assert list(findings(text, [word._replace(exemptions=())])), "the exception is not needed"


def test_every_exception_has_a_reason() -> None:
    assert all(fine.reason for word in ALL.words for fine in word.exemptions)


def test_files_and_lines_are_named(tmp_path: Path) -> None:
    """What git does not track, what nobody writes and what is pending is left out."""
    texts = {
        "page.md": "A dead letter.\nIt is mended, by a way\nout.\n",
        "mended.py": "fine = 1\n",
        "some.lock": "mended",
        "later/page.md": "mended",
        "untracked.md": "mended",
        "picture.png": "mended \udcff",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8", errors="surrogateescape")
    for command in (["init", "--quiet"], ["add", *(name for name in texts if name != "untracked.md")]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)  # noqa: S607 - git is on the PATH

    rules = Rules(ALL.words, not_checked=("**/*.lock",), pending=("later/**",))

    assert check(tmp_path, rules) == [
        "mended.py:0: mended -> fix, resolve; transient",
        "page.md:2: mended -> fix, resolve; transient",
        "page.md:2: way out -> span exporter, export mode",
    ]


def test_the_list_is_small_enough_to_read() -> None:
    assert len(RULES.read_text(encoding="utf-8").splitlines()) < 200
