"""docs/index.md lists every page once, and the site is checked: what `make docs` builds is in tests/docs/site.py."""

from collections import Counter
from pathlib import Path

import pytest

from tests.docs import site
from tests.support.tree import project_files

UNLISTED = {site.INDEX, Path(".github/pull_request_template.md")}


def test_every_page_is_in_the_index_once() -> None:
    home, index, *sections = site.navigation()
    assert (home, index) == ({"Home": "README.md"}, {"All pages": "docs/index.md"})
    listed = Counter(
        path for section in sections for pages in section.values() for page in pages for path in page.values()
    )
    pages = {path.relative_to(site.ROOT) for path in project_files(site.ROOT, "*.md")} - UNLISTED - {site.HOME}
    assert listed == Counter(map(str, pages))


def test_the_readers() -> None:
    assert [name for section in site.navigation()[2:] for name in section] == [
        "Newcomer",
        "Producer",
        "Operator",
        "Deployer",
        "Maintainer",
    ]


@pytest.mark.parametrize(
    ("github", "written"),
    [
        ("a:\n- b\n  c\n- d", "a:\n\n- b\n    c\n- d"),
        ("a:\n1. b\n   - c\n     d\n2. e", "a:\n\n1. b\n\n    - c\n        d\n\n2. e"),
        ("- a\n\n      code\n- b", "- a\n\n        code\n\n- b"),
        ("a\n| b |\n|---|\n| c |", "a\n\n| b |\n|---|\n| c |"),
        ("```\na:\n- b\n```", "```\na:\n- b\n```"),
    ],
)
def test_lists_and_tables_are_those_of_github(github: str, written: str) -> None:
    assert site.for_python_markdown(github) == written


def test_what_is_wrong_with_a_site_is_found(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "a" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(
        '<article><h1 id="here">A</h1><ul><li>one</li></ul>'
        '<a href="#here"></a><a href="#not"></a>'
        '<a href="../b/"></a><a href="../a/#here"></a><a href="https://example.com/none"></a></article>'
        '<img src="c.png">'
    )
    (tmp_path / "index.html").write_text("<article></article>")
    built = site.read_pages(tmp_path)

    assert site.broken_links(tmp_path, built) == [
        "docs/a/index.html: #not leads nowhere",
        "docs/a/index.html: ../b/ leads nowhere",
        "docs/a/index.html: c.png leads nowhere",
    ]
    pages = {Path("docs/a.md"): "# A\n- one\n- two\n", Path("README.md"): ""}
    assert list(site.differences(tmp_path, pages, built)) == ["docs/a.md: 1 <li> on the site, 2 on GitHub"]
