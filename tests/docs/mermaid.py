"""A check of Mermaid diagrams, of the part of its language that the documentation uses.

Mermaid itself needs a browser: tests/system/browser/test_site.py draws all diagrams in one. This check takes no time.
"""

import re

_FENCE = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)

_TEXT = r'(?:"[^"]+"|[^][(){}|"<>;]+)'
_SHAPES = rf"\[\({_TEXT}\)\]|\(\[{_TEXT}\]\)|\{{\{{{_TEXT}\}}\}}|\[{_TEXT}\]|\{{{_TEXT}\}}"
_NODE = re.compile(rf"([a-z][a-z_]*)({_SHAPES})?")
_LINK = re.compile(rf"\s+(?:<?--+>(?:\|{_TEXT}\|)?|-\. {_TEXT} \.+->|-\.->)\s+")
_RESERVED = {"end", "default", "style", "class", "click", "subgraph", "graph", "flowchart", "linkstyle"}

_PARTICIPANT = re.compile(r"participant ([a-z]+) as \S.*")
_MESSAGE = re.compile(r"([a-z]+)-?->>([a-z]+): [^;#]+")


def diagrams(page: str) -> list[str]:
    """Return the source of each diagram of a page."""
    return _FENCE.findall(page)


def labels(diagram: str) -> set[str]:
    """Return the texts that a picture of a diagram shows: without blanks, those of a sequence line by line."""
    if diagram.startswith("sequenceDiagram"):
        found = re.findall(r"^ *(?:participant [a-z]+ as|[^:\n]+:) (.+)", diagram, re.MULTILINE)
        shown = [line for text in found for line in text.split("<br/>")]
    else:
        found = re.findall(r'"([^"]+)"|(?<=>)\|([^|"]+)\||-\. ([^"]+?) \.+->', diagram)
        shown = ["".join(groups) for groups in found]
    return {re.sub(r"</?b>|<br/>|\s", "", text) for text in shown}


def mistakes(diagram: str) -> list[str]:
    """Return what is wrong, by line."""
    head, *lines = [line.strip() for line in diagram.strip("\n").splitlines()]
    if head == "sequenceDiagram":
        return _of_sequence(lines)
    if re.fullmatch(r"flowchart (TB|LR)", head):
        return _of_flowchart(lines)
    return [head]


def _of_flowchart(lines: list[str]) -> list[str]:
    wrong, used, labelled = [], set(), []
    for line in lines:
        nodes = [_NODE.fullmatch(part) for part in _LINK.split(line)]
        for node in nodes:
            if node is None or node[1] in _RESERVED:
                wrong.append(line)
                break
            used.add(node[1])
            labelled += [node[1]] * bool(node[2])
    unlabelled = sorted(used - set(labelled))
    twice = sorted({name for name in labelled if labelled.count(name) > 1})
    return [*wrong, *(f"{name} has no label" for name in unlabelled), *(f"{name} has two labels" for name in twice)]


def _of_sequence(lines: list[str]) -> list[str]:
    participants = {found[1] for line in lines if (found := _PARTICIPANT.fullmatch(line))}
    wrong = []
    for line in lines:
        message = _MESSAGE.fullmatch(line)
        if not _PARTICIPANT.fullmatch(line) and not (message and {message[1], message[2]} <= participants):
            wrong.append(line)
    return wrong
