"""The figures of a run of `bench/table.py` in the sentences of documents."""

import re
from collections.abc import Mapping
from typing import Any

from bench.comparison import compared, figures_of

SENTENCES: Mapping[str, tuple[str, ...]] = {
    "docs/faq.md": (
        "{layer.warm} of the plain function for a warm event instead of {powertools-idempotent.warm}",
        "{layer.cold} of its cold start instead of {powertools-idempotent.cold}",
        "The cold start is the same ({layer.cold} and {direct.cold})",
        "must cost as little as possible ({direct.warm} instead of {layer.warm})",
        "loads what it uses: {layer.modules} modules instead of {v0.modules}",
        "start {slim.cold} is left without telemetry, {layer.cold} with it",
    ),
}
"""Parts of sentences, by document; `{variant.figure}` is a ratio to V0, or the number of `modules`."""

_FIGURE = re.compile(r"\{([\w-]+)\.(\w+)\}")


def with_figures(text: str, sentence: str, result: Mapping[str, Any]) -> str:
    """Return a document with the figures of a run in one of its sentences, line breaks as they are.

    Args:
        text: The document.
        sentence: A member of `SENTENCES`.
        result: The run.

    Raises:
        ValueError: The document does not have the sentence once.
    """
    words = [_pattern(word) for word in sentence.split()]
    found = list(re.finditer(r"\s+".join(words), text))
    if len(found) != 1:
        raise ValueError(f"{len(found)} times in the document: {sentence}")
    figures = [_figure(result, *match.groups()) for match in _FIGURE.finditer(sentence)]
    for number in range(len(figures), 0, -1):
        begin, end = found[0].span(number)
        text = text[:begin] + figures[number - 1] + text[end:]
    return text


def _pattern(word: str) -> str:
    """Return a pattern for a word, in which a figure is a group."""
    return r"(\d+(?:\.\d+)?)".join(re.escape(part) for part in re.split(r"\{[^}]*\}", word))


def _figure(result: Mapping[str, Any], variant: str, name: str) -> str:
    figures = figures_of(result)
    if name == "modules":
        return str(figures[variant].memory.modules_init)
    return f"{compared(figures)[variant][name]:.2f}"
