"""One self-contained HTML document: styles, data and script inside, and nothing loaded from elsewhere."""

import base64
import gzip
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

import orjson

_BASE = Path(__file__).with_name("base.css")


def document(
    title: str,
    body: Iterable[str],
    *,
    styles: Iterable[Path] = (),
    scripts: Iterable[Path] = (),
    data: Mapping[str, Any] | None = None,
    attributes: str = "",
    served: bool = False,
) -> Iterator[str]:
    """Yield the parts of a document.

    Args:
        title: The title, as text.
        body: The content, as HTML.
        styles: Style sheets besides that of all pages.
        scripts: Parts of the only script that the document may run: a policy in it allows its hash and no other.
        data: JSON values by the ID of the element that has them, compressed; the script reads them.
        attributes: Those of the element `body`, as HTML.
        served: Whether the script may ask the server that the document came from.
    """
    css = "".join(path.read_text(encoding="utf-8") for path in (_BASE, *styles))
    code = "".join(path.read_text(encoding="utf-8") for path in scripts)
    policy = ["default-src 'none'", "style-src 'unsafe-inline'"]
    if code:
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        policy.append(f"script-src 'sha256-{digest}'")
    if served:
        policy.append("connect-src 'self'")
    yield f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(policy)}">'
    yield f"<style>{css}</style></head><body {attributes}>"
    yield from body
    for name, value in (data or {}).items():
        yield f'<script type="application/gzip" id="{escape(name)}">{compressed(value)}</script>'
    if code:
        yield f"<script>{code}</script>"
    yield "</body></html>\n"


def compressed(value: Any) -> str:
    """Return a value as JSON, compressed, in base64: a browser reads it with `DecompressionStream`."""
    return base64.b64encode(gzip.compress(orjson.dumps(value), 6, mtime=0)).decode()
