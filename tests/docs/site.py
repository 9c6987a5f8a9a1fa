"""Build the documentation as a site with navigation and search: `make docs`.

The Markdown files of the repository are the source, at their own paths, so that one link works on GitHub and on the
site. Of other files, those that a page links to are on the site: images and data as they are, code as a page that
shows it. The navigation is that of docs/index.md.

The diagrams are drawn by Mermaid in the browser. Zensical loads it from another host unless a page has loaded it, so
pages with a diagram load the site's own copy.

Zensical renders with Python-Markdown, GitHub with CommonMark. What they read differently, `for_python_markdown` writes
in a form that both read alike, and `differences` compares what a page shows with what CommonMark makes of it.
"""

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

from markdown_it import MarkdownIt

from tests.docs.mermaid import diagrams

ROOT = Path(__file__).parents[2]
INDEX = Path("docs/index.md")
HOME = Path("README.md")
"""The first page of the site."""

_JAVASCRIPT = Path(__file__).parent / "javascript"
_MERMAID = _JAVASCRIPT / "node_modules" / "@mermaid-js" / "tiny"
_SCRIPTS = (_MERMAID / "dist" / "mermaid.tiny.js", _JAVASCRIPT / "settings.js")
_SCRIPTS_FOLDER = Path("assets/mermaid")

_AS_IT_IS = {".png", ".svg", ".json", ".ts"}
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", "": "sh"}
_COUNTED = ("h1", "h2", "h3", "h4", "li", "table", "tr", "pre", "code", "img")
"""Elements of a page that must be as many as CommonMark makes."""

_LINK = re.compile(r"(?<=\]\()([^()\s#:]+)(?=[#)])")
_COMMONMARK = MarkdownIt("commonmark").enable("table")

_CONFIGURATION = """\
[project]
site_name = "MarkEarningsProcessed"
site_description = "An observable, exactly-once AWS Lambda"
docs_dir = "source"
site_dir = "site"
copyright = "Apache-2.0"
nav = {navigation}

[project.theme]
language = "en"
font = false
features = ["content.code.copy", "navigation.top", "search.highlight", "toc.follow"]

[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"
toggle.icon = "lucide/moon"
toggle.name = "Dark"

[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"
toggle.icon = "lucide/sun"
toggle.name = "Light"

[project.markdown_extensions]
tables = {{}}
sane_lists = {{}}
pymdownx.betterem = {{}}
pymdownx.magiclink = {{}}
pymdownx.highlight = {{}}

[project.markdown_extensions.toc]
permalink = true
slugify = {{ object = "pymdownx.slugs.slugify", kwds = {{ case = "lower" }} }}

[project.markdown_extensions.pymdownx.superfences]
custom_fences = [{{ name = "mermaid", class = "mermaid" }}]
"""


class _Page(HTMLParser):
    """Reads the links, the anchors and the elements of a built page.

    Args:
        html: The page. Elements are counted in its article only, links and anchors everywhere.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: dict[str, None] = {}
        self.anchors: set[str] = set()
        self.elements: Counter[str] = Counter()
        self._in_article = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a link, an anchor, and an element of the article."""
        given = dict(attrs)
        self._in_article |= tag == "article"
        self.elements[tag] += self._in_article and given.get("class") != "headerlink"
        self.links |= {value: None for name in ("href", "src") if (value := given.get(name))}
        self.anchors |= {value for name in ("id", "name") if (value := given.get(name))}

    def handle_endtag(self, tag: str) -> None:
        """Note the end of the article."""
        self._in_article &= tag != "article"


def build(target: Path) -> list[str]:
    """Build the site, and return its broken links and the pages that show something else than GitHub.

    Args:
        target: Directory of the source (`source`), the configuration and the site (`site`); its content is replaced.

    Raises:
        subprocess.CalledProcessError: Zensical reports a broken link or another mistake, on standard error.
    """
    shutil.rmtree(target, ignore_errors=True)
    pages = write_source(target / "source")
    (target / "zensical.toml").write_text(_CONFIGURATION.format(navigation=_as_toml(navigation())), encoding="utf-8")
    zensical = Path(sys.executable).with_name("zensical")
    subprocess.run([zensical, "build", "--clean", "--strict", "--config-file", target / "zensical.toml"], check=True)
    built = read_pages(target / "site")
    return [*broken_links(target / "site", built), *differences(target / "site", pages, built)]


def write_source(folder: Path) -> dict[Path, str]:
    """Write what Zensical reads, and return the Markdown of each page as in the repository, by its path."""
    pages = {path: (ROOT / path).read_text(encoding="utf-8") for path in _tracked("*.md") if path.parts[0] != ".github"}
    for path, text in pages.items():
        scripts = _mermaid(path) if diagrams(text) else ""
        _write(folder / path, for_python_markdown(_link_code_pages(path, text)) + scripts)
        for linked in _others(path, text):
            if linked.suffix in _AS_IT_IS:
                (folder / linked).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / linked, folder / linked)
            else:
                _write(folder / f"{linked}.md", _code_page(linked))
    (folder / _SCRIPTS_FOLDER).mkdir(parents=True)
    for file in (*_SCRIPTS, _MERMAID / "LICENSE"):
        shutil.copyfile(file, folder / _SCRIPTS_FOLDER / file.name)
    return pages


def navigation() -> list[dict[str, Any]]:
    """Return the navigation: the first page, the index, and a section for each reader of the index with its pages."""
    sections = re.split(r"^## ", (ROOT / INDEX).read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return [
        {"Home": str(HOME)},
        {"All pages": str(INDEX)},
        *(
            {
                section.partition("\n")[0]: [
                    {title[0].upper() + title[1:]: str(_resolved(INDEX, target))}
                    for row in re.findall(r"^\| (\[.*?) \|", section, re.MULTILINE)
                    for title, target in re.findall(r"\[([^]]+)\]\(([^)#]+)\)", row)
                    if _resolved(INDEX, target) != HOME
                ]
            }
            for section in sections
        ),
    ]


def for_python_markdown(text: str) -> str:
    """Return a text that Python-Markdown reads as CommonMark reads the original.

    Python-Markdown needs a blank line before a list or a table and after an item of several blocks, and four blanks
    where an item goes on.
    """
    lines = text.split("\n")
    blank_before: set[int] = set()
    added = [0] * len(lines)
    items: list[range] = []
    for token in _COMMONMARK.parse(text):
        if token.map is None:
            continue
        first, end = token.map
        if token.type in {"bullet_list_open", "ordered_list_open", "table_open"}:
            blank_before.add(first)
        if token.type == "list_item_open" and (marker := re.match(r" *((?:[-*+]|\d+[.)]) +)", lines[first])):
            for number in range(first + 1, end):
                added[number] += 4 - len(marker[1])
            items.append(range(first + 1, end))
    # From the innermost: an item with a list in it has several blocks.
    for item in reversed(items):
        if "" in lines[item.start : item.stop] or blank_before & set(item):
            blank_before.add(item.stop)
    written = []
    for number, line in enumerate(lines):
        if number in blank_before and number and line.strip() and lines[number - 1].strip():
            written.append("")
        written.append(" " * added[number] + line if line.strip() else line)
    return "\n".join(written)


def read_pages(site: Path) -> dict[Path, _Page]:
    """Return the pages of a built site."""
    return {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def broken_links(site: Path, built: Mapping[Path, _Page]) -> list[str]:
    """Return the links within the site that lead to no file or to no anchor."""
    found = []
    for path, page in built.items():
        for link in page.links:
            url, anchor = urldefrag(link)
            if re.match(r"[a-z]+:|//", url) or path.name == "404.html":
                continue
            target = (path.parent / unquote(url)).resolve() if url else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file() or (anchor and target in built and unquote(anchor) not in built[target].anchors):
                found.append(f"{path.relative_to(site)}: {link} leads nowhere")
    return found


def differences(site: Path, pages: Mapping[Path, str], built: Mapping[Path, _Page]) -> Iterator[str]:
    """Yield which pages do not have the headings, lists, tables and code blocks that GitHub shows."""
    for path, text in pages.items():
        name = path.parent if path.name in {"README.md", "index.md"} else path.with_suffix("")
        shown = built[site / name / "index.html"].elements
        expected = _Page(f"<article>{_COMMONMARK.render(text)}</article>").elements
        for element in _COUNTED:
            if shown[element] != expected[element]:
                yield f"{path}: {shown[element]} <{element}> on the site, {expected[element]} on GitHub"


def _mermaid(page: Path) -> str:
    """Return what loads Mermaid into a page before Zensical's script, which follows the article and looks for it."""
    folder = "../" * len(page.parent.parts) + str(_SCRIPTS_FOLDER)  # Zensical rewrites the address as it does links
    return "".join(f'\n<script src="{folder}/{script.name}"></script>\n' for script in _SCRIPTS)


def _tracked(pattern: str) -> list[Path]:
    command = ["git", "ls-files", "-z", pattern]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(name) for name in listed.stdout.split("\0") if name]


def _resolved(page: Path, target: str) -> Path:
    return (ROOT / page.parent / target).resolve().relative_to(ROOT)


def _others(page: Path, text: str) -> Iterator[Path]:
    """Yield the files other than Markdown that a page links to."""
    for target in _LINK.findall(text):
        path = _resolved(page, target)
        if path.suffix != ".md":
            if not (ROOT / path).is_file():
                raise SystemExit(f"{page}: {target} is no file: link to one")
            yield path


def _link_code_pages(page: Path, text: str) -> str:
    """Lead the links to code to the pages that show it."""

    def led(match: re.Match[str]) -> str:
        suffix = _resolved(page, match[0]).suffix
        return match[0] if suffix == ".md" or suffix in _AS_IT_IS else f"{match[0]}.md"

    return _LINK.sub(led, text)


def _code_page(path: Path) -> str:
    code = (ROOT / path).read_text(encoding="utf-8")
    fence = "`" * (3 + max(map(len, re.findall("`{3,}", code)), default=0))
    return (
        f"---\nsearch:\n  exclude: true\n---\n# {path}\n\n{fence}{_LANGUAGES.get(path.suffix, 'text')}\n{code}{fence}\n"
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _as_toml(value: object) -> str:
    """Return JSON as TOML: only the separator of inline tables differs."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_as_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_toml, value)) + "]"
    return json.dumps(value)


if __name__ == "__main__":
    problems = build(Path(sys.argv[1]))
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    sys.exit(1 if problems else 0)
