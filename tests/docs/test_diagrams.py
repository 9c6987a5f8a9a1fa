"""Every diagram of the documentation can be drawn."""

import pytest

from emulator.environment import PROJECT_ROOT
from tests.docs.mermaid import diagrams, labels, mistakes
from tests.support.tree import project_files

DIAGRAMS = {
    f"{page.relative_to(PROJECT_ROOT)}:{number}": diagram
    for page in project_files(PROJECT_ROOT, "*.md")
    for number, diagram in enumerate(diagrams(page.read_text(encoding="utf-8")), 1)
}


def test_there_are_diagrams() -> None:
    pages = {name.partition(":")[0] for name in DIAGRAMS}
    assert pages >= {f"docs/{name}.md" for name in ("architecture", "event-pipeline", "dead-letters", "deploy")}


@pytest.mark.parametrize("name", DIAGRAMS)
def test_a_diagram_has_no_mistake(name: str) -> None:
    assert mistakes(DIAGRAMS[name]) == []


@pytest.mark.parametrize(
    ("diagram", "wrong"),
    [
        ("graph TB\n  a --> b", ["graph TB"]),
        ('flowchart TB\n  a["one"] --> b["two"', ['a["one"] --> b["two"']),
        ('flowchart TB\n  a["one"] --> b[two (2)]', ['a["one"] --> b[two (2)]']),
        ('flowchart TB\n  a["one"] -->|no end b["two"]', ['a["one"] -->|no end b["two"]']),
        ('flowchart TB\n  a["one"] -> b["two"]', ['a["one"] -> b["two"]']),
        ('flowchart TB\n  a["one"] --> b', ["b has no label"]),
        ('flowchart TB\n  a["one"] --> end["two"]', ['a["one"] --> end["two"]']),
        ('flowchart TB\n  a["one"] --> b["two"]\n  a["three"] --> b', ["a has two labels"]),
        ("sequenceDiagram\n  participant a as one\n  a->>b: text", ["a->>b: text"]),
        ("sequenceDiagram\n  participant a as one\n  a->>a: text; more", ["a->>a: text; more"]),
    ],
    ids=["kind", "bracket", "quotes", "bar", "arrow", "undefined", "reserved", "twice", "participant", "semicolon"],
)
def test_a_mistake_is_found(diagram: str, wrong: list[str]) -> None:
    assert mistakes(diagram) == wrong


def test_shapes_and_links() -> None:
    nodes = ['a["one"]', 'b(["two"])', 'c[("three")]', 'd{"four"}', 'e{{"five"}}']
    links = ["-->", "--->|six|", '-->|"six, seven"|', "<-->", "-. eight ..->", "-.->"]
    lines = [f"{first} {link} {second}" for first, link, second in zip("aaaaaa", links, "bcdebc", strict=True)]
    diagram = "\n".join(["flowchart LR", *nodes, *lines])
    assert mistakes(diagram) == []
    assert labels(diagram) == {"one", "two", "three", "four", "five", "six", "six,seven", "eight"}


def test_labels_have_no_blanks_and_no_tags() -> None:
    assert labels('flowchart TB\n  a["<b>one</b><br/>two <three>"] -. "four, five" .-> b["six"]') == {
        "onetwo<three>",
        "four,five",
        "six",
    }
    diagram = "sequenceDiagram\n  participant a as one two\n  participant b as c\n  a-->>b: three<br/>four"
    assert labels(diagram) == {"onetwo", "c", "three", "four"}
