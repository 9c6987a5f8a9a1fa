"""Check that text and names use the field's words: `make lint` runs this over every text file that git tracks.

tests/docs/words.toml has the words, what to use instead, and the exceptions with their reasons.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
RULES = Path(__file__).with_name("words.toml")

_CAMEL_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ESCAPED_BLANK = re.compile(r"\\[nt]")


class Exemption(NamedTuple):
    """A use of a word that is fine.

    Attributes:
        pattern: Covers the word in its context.
        example: Text that must pass.
        reason: Why it is fine.
    """

    pattern: re.Pattern[str]
    example: str
    reason: str


class Word(NamedTuple):
    """A word, or a family of them, that is not the field's.

    Attributes:
        pattern: Finds it.
        use: What to write instead.
        examples: Texts that must be found.
        exemptions: Uses that are fine.
    """

    pattern: re.Pattern[str]
    use: str
    examples: tuple[str, ...]
    exemptions: tuple[Exemption, ...]


class Rules(NamedTuple):
    """The content of words.toml.

    Attributes:
        words: In the order of the file.
        not_checked: Globs of files that people do not write, such as lock files.
        pending: Globs of files that are not clean yet.
    """

    words: tuple[Word, ...]
    not_checked: tuple[str, ...]
    pending: tuple[str, ...]


class Finding(NamedTuple):
    """One use of a word, by its line; line 0 is the file's path."""

    line: int
    text: str
    use: str


def read_rules(path: Path = RULES) -> Rules:
    """Return the rules of a file."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    words = tuple(_word(entry) for entry in content["words"])
    return Rules(words, tuple(content["not_checked"]["files"]), tuple(content["pending"]["files"]))


def findings(text: str, words: Sequence[Word]) -> Iterator[Finding]:
    """Yield each use of a word in a text. `camelCase` and `snake_case` count as separate words."""
    plain = _CAMEL_CASE.sub(" ", _ESCAPED_BLANK.sub("  ", text)).replace("_", " ")
    for word in words:
        fine: list[range] | None = None
        for match in word.pattern.finditer(plain):
            if fine is None:
                fine = [range(*m.span()) for exemption in word.exemptions for m in exemption.pattern.finditer(plain)]
            if not any(match.start() in span for span in fine):
                yield Finding(plain.count("\n", 0, match.start()) + 1, " ".join(match.group().split()), word.use)


def check(root: Path, rules: Rules) -> list[str]:
    """Return what is to be said of the files that git tracks, one line per use of a word."""
    command = ["git", "-C", str(root), "ls-files", "-z"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    lines = []
    for name in sorted(filter(None, listed)):
        path = Path(name)
        if any(path.full_match(glob) for glob in (*rules.not_checked, *rules.pending)) or not (root / name).is_file():
            continue
        try:
            text = (root / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        seen = [found._replace(line=0) for found in findings(name, rules.words)]
        seen += sorted(findings(text, rules.words))
        lines += [f"{name}:{found.line}: {found.text} -> {found.use}" for found in seen]
    return lines


def _word(entry: Mapping[str, Any]) -> Word:
    exemptions = tuple(
        Exemption(_compiled(fine["pattern"]), fine["example"], fine["reason"]) for fine in entry.get("fine", ())
    )
    return Word(_compiled(rf"\b(?:{entry['pattern']})\b"), entry["use"], tuple(entry["examples"]), exemptions)


def _compiled(pattern: str) -> re.Pattern[str]:
    """Ignore case. A blank in a pattern also matches the end of a line and the start of a comment."""
    return re.compile(pattern.replace(" ", r"(?:\s|#(?!\w))+"), re.IGNORECASE)


if __name__ == "__main__":
    complaints = check(ROOT, read_rules())
    sys.stdout.writelines(f"{line}\n" for line in complaints)
    sys.exit(1 if complaints else 0)
