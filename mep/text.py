"""Text for the terminal: on one line, without control characters; and numbers with their nouns."""

import unicodedata


def escape_control(text: object) -> str:
    """Return `text` with control characters escaped, so that outside input cannot control the terminal."""
    return "".join(
        character if unicodedata.category(character)[0] != "C" else ascii(character)[1:-1] for character in str(text)
    )


def one_line(text: object) -> str:
    """Return `text` on one line: every run of white space becomes one space."""
    return " ".join(str(text).split())


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural if it is not 1."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
