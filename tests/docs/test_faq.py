"""docs/faq.md: its numbers are those of the pages that measure or estimate them."""

import re

from emulator.environment import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "faq.md").read_text(encoding="utf-8")
SOURCES = ("bench/README.md", "docs/cost.md", "docs/soak.md")
_NUMBER = re.compile(r"(?<![\d.,/])(?:\d+\.\d\d|\d{1,3}(?:,\d{3})+(?:\.\d\d)?)(?![\d.,]*\d)")


def test_a_number_is_in_the_page_that_it_comes_from() -> None:
    known = {
        number for name in SOURCES for number in _NUMBER.findall((PROJECT_ROOT / name).read_text(encoding="utf-8"))
    }
    found = _NUMBER.findall(PAGE)
    assert len(found) > 10
    assert [number for number in found if number not in known] == []


def test_every_question_has_a_short_answer() -> None:
    for section in re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]:
        question, _, answer = section.partition("\n")
        assert question.endswith("?"), question
        assert len(answer.split()) <= 135, question
