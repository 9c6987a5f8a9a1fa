"""Text for the terminal: on one line, and without control characters."""

import unicodedata


def escape_control(text: object) -> str:
    """Return `text` with control characters escaped, so that outside input cannot control the terminal."""
    return "".join(
        character if unicodedata.category(character)[0] != "C" else ascii(character)[1:-1] for character in str(text)
    )


def one_line(text: object) -> str:
    """Return `text` on one line: every run of white space becomes one space."""
    return " ".join(str(text).split())
