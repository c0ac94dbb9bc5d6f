# SPDX-License-Identifier: Apache-2.0
"""Goal: the manuals in PDF are whole: every heading, nothing cut off, and what they name exists.

Method: build all of them, read them back with poppler (text, boxes of words, pictures), and compare with the Markdown.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stack.mesh import PROJECT
from stack.process import StackError
from tools.mesh import manuals
from tools.mesh.__main__ import parse
from tools.mesh.images import version
from tools.mesh.parts import PARTS

MM = 72 / 25.4
LEFT, RIGHT, TOP, BOTTOM = 21 * MM, 19 * MM, 20 * MM, 8 * MM  # margins of style.css; the footer is in the lowest
ROUNDING = 1.0  # points
WORDS_MIN = 12  # of a page that is not empty, its footer included
ELSEWHERE = {"docker", "gcloud", "grpcurl", "helm", "kubectl"}  # what a reader brings along, and the pages say so
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMED_ELSEWHERE = {"CODE_STORED"}


@dataclass(frozen=True)
class Word:
    text: str
    left: float
    top: float
    right: float
    bottom: float

    def covers(self, other: Word) -> float:
        """How much of the smaller one lies on the other."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        smaller = min((w.right - w.left) * (w.bottom - w.top) for w in (self, other))
        return wide * high / smaller if wide > 0 and high > 0 and smaller > 0 else 0.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("manuals")
    for name in manuals.names():
        manuals.build(name, folder)
    return folder


@pytest.fixture(params=manuals.names())
def pdf(request: pytest.FixtureRequest, folder: Path) -> Path:
    return folder / f"{request.param}.pdf"


def poppler(*command: str | Path) -> str:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout


def text_of(pdf: Path) -> str:
    return poppler("pdftotext", pdf, "-")


def flat(text: str) -> str:
    """Without what a line break may add or, as poppler reads it, take away."""
    return re.sub(r"[\s-]+", "", text)


def pages_of_words(pdf: Path) -> Iterator[tuple[float, float, list[Word]]]:
    """Of each page width, height and words with their boxes, in points."""
    tree = ElementTree.fromstring(poppler("pdftotext", "-bbox", pdf, "-"))
    for page in tree.iter("{http://www.w3.org/1999/xhtml}page"):
        words = [
            Word(word.text or "", *(float(word.attrib[name]) for name in ("xMin", "yMin", "xMax", "yMax")))
            for word in page.iter("{http://www.w3.org/1999/xhtml}word")
        ]
        yield float(page.attrib["width"]), float(page.attrib["height"]), words


def headings(markdown: str) -> list[str]:
    found = re.findall(r"^#{2,3} +(.+?) *$", FENCE.sub("", markdown), re.MULTILINE)
    return [re.sub(r"`|\*|\]\([^)]*\)|\[", "", heading) for heading in found]


def code_lines(name: str) -> list[str]:
    """What a reader is told to type, a command a line."""
    text = (manuals.SOURCES / f"{name}.md").read_text()
    lines = []
    for kind, block in FENCE.findall(text):
        joined = block.replace("\\\n", " ").splitlines()
        lines += joined if kind == "sh" else [line[2:] for line in joined if line.startswith("$ ")]
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def test_the_manuals_are_there() -> None:
    assert {"coming-from", "gke", "technical", "user"} <= set(manuals.names())


def test_every_heading_is_in_the_contents_and_in_the_text(pdf: Path) -> None:
    manual = manuals.read(pdf.stem)
    text = flat(text_of(pdf))
    assert flat(manual.title) in text
    assert len(headings(manual.body)) > 4
    for heading in headings(manual.body):
        assert text.count(flat(heading)) >= 2, heading


def test_cover_names_version_and_date(pdf: Path) -> None:
    cover = text_of(pdf).split("\f")[0]
    assert version() in cover
    assert str(manuals.moment().year) in cover


def test_every_line_of_code_is_whole(pdf: Path) -> None:
    text = flat(poppler("pdftotext", "-raw", pdf, "-"))
    for _, block in FENCE.findall(manuals.read(pdf.stem).body):
        for line in block.splitlines():
            assert flat(line) in text, line


def test_no_page_is_empty(pdf: Path) -> None:
    for number, (_, _, words) in enumerate(pages_of_words(pdf), 1):
        assert len(words) >= WORDS_MIN, f"page {number}: {[word.text for word in words]}"


def test_no_word_leaves_the_margins(pdf: Path) -> None:
    for number, (width, height, words) in enumerate(pages_of_words(pdf), 1):
        for word in words:
            inside = word.left >= LEFT - ROUNDING and word.right <= width - RIGHT + ROUNDING
            inside = inside and word.top >= TOP - ROUNDING and word.bottom <= height - BOTTOM + ROUNDING
            assert inside, f"page {number}: {word}"


def test_no_word_lies_on_another(pdf: Path) -> None:
    for number, (_, _, words) in enumerate(pages_of_words(pdf), 1):
        words.sort(key=lambda word: word.top)
        for i, word in enumerate(words):
            for other in words[i + 1 :]:
                if other.top >= word.bottom:
                    break
                assert word.covers(other) < 0.3, f"page {number}: {word} {other}"


def test_every_picture_is_there(pdf: Path) -> None:
    asked = len(re.findall(r"!\[[^\]]*\]\([^)]+\.png\)", manuals.read(pdf.stem).body))
    listed = poppler("pdfimages", "-list", pdf).splitlines()[2:]
    assert sum(line.split()[2] == "image" for line in listed) == asked


def test_pages_are_numbered(pdf: Path) -> None:
    for number, (_, height, words) in enumerate(pages_of_words(pdf), 1):
        footer = [word.text for word in words if word.top > height - 22 * MM]
        assert (footer == []) if number == 1 else footer[-1] == str(number)


def test_the_same_source_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    for name in ("gke", "user"):
        assert manuals.build(name, tmp_path).read_bytes() == (folder / f"{name}.pdf").read_bytes()


# What they name.


@pytest.mark.parametrize("name", manuals.names())
def test_every_command_exists(name: str) -> None:
    lines = code_lines(name)
    for line in lines:
        words = [word for word in line.split() if not re.match(r"[A-Z_]+=", word)]
        first = words[0] if words else "export"
        known = first in ELSEWHERE or first == "export" or shutil.which(first) or (PROJECT / first).exists()
        assert known or first.startswith("build/"), line
        for word in words[1:]:
            if re.match(r"(locust|k8s|helm/tweetmesh)/[\w./-]+$", word):
                assert (PROJECT / word).exists(), f"{line}: no {word}"


@pytest.mark.parametrize("name", manuals.names())
def test_every_mesh_command_is_one(name: str) -> None:
    text = (manuals.SOURCES / f"{name}.md").read_text()
    said = [line[line.index("./mesh") :] for line in code_lines(name) if "./mesh" in line]
    said += re.findall(r"(?<!`)`[^`\n]*(\./mesh [^`]+)`", FENCE.sub("", text))
    for command in said:
        words = shlex.split(re.sub(r"[|;&].*", "", command), comments=True)[1:]
        try:
            parse(["1" if word in ("N", "M") else word for word in words])
        except SystemExit as ended:
            pytest.fail(f"{command} ({ended.code})")


@pytest.mark.parametrize("name", manuals.names())
def test_settings_and_metrics_exist(name: str) -> None:
    text = FENCE.sub("", (manuals.SOURCES / f"{name}.md").read_text())
    settings = (PROJECT / "docs/configuration.md").read_text()
    for setting in set(re.findall(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)`", text)) - NAMED_ELSEWHERE:
        assert f"| `{setting}` |" in settings, setting
    metrics = (PROJECT / "docs/operations.md").read_text()
    for metric in set(re.findall(r"tweetmesh_[a-z0-9_]+", text)):
        assert metric in metrics, metric


def test_the_parts_of_the_tests_are_those_of_mesh_test() -> None:
    text = (manuals.SOURCES / "technical.md").read_text()
    rows = re.findall(r"^\| (`[^|]*`) \|", text[text.index("| part | what it is |") :], re.MULTILINE)
    told = re.findall(r"`([^`]+)`", " ".join(rows))
    assert sorted(told) == sorted(part.name for part in PARTS)


# What a manual may ask for.


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one manual and one page to quote, without figures yet."""
    sources = tmp_path / "docs/manuals"
    sources.mkdir(parents=True)
    monkeypatch.setattr(manuals, "PROJECT", tmp_path)
    monkeypatch.setattr(manuals, "SOURCES", sources)
    (tmp_path / "docs/page.md").write_text(
        "# Page\n\n## One\n\n[two](#two), [other](other.md)\n\n```sh\n# no heading\n```\n\n### Inner\n\ninside\n\n"
        "## Two\n\n<!-- made by ./mesh bench: speed -->\n<!-- end -->\n"
    )
    return tmp_path


def asked(project: Path, wish: str) -> str:
    (project / "docs/manuals/small.md").write_text(f"# Small\n\nA lead.\n\n<!-- {wish} -->\n")
    return manuals.read("small").body.strip()


def test_figures_are_quoted_when_there_are_some(small: Path) -> None:
    wish = "quote: ../page.md speed"
    assert "holds none" in asked(small, wish)
    page = small / "docs/page.md"
    page.write_text(page.read_text().replace("speed -->\n", "speed -->\n| a | b |\n"))
    assert asked(small, wish) == "| a | b |"
    with pytest.raises(StackError, match="no block pace"):
        asked(small, "quote: ../page.md pace")


def test_a_section_ends_with_the_next_and_its_links_stay_right(small: Path) -> None:
    section = asked(small, "section: ../page.md One")
    assert "[two](../page.md#two), [other](../other.md)" in section
    assert "# no heading" in section and "**Inner.**" in section and section.endswith("inside")
    with pytest.raises(StackError, match="no heading Three"):
        asked(small, "section: ../page.md Three")


def test_a_whole_page_loses_its_title_and_sinks_by_one(small: Path) -> None:
    page = asked(small, "include: ../page.md")
    assert page.startswith("### One") and "#### Inner" in page and "\n# no heading" in page
    with pytest.raises(StackError, match="not there"):
        asked(small, "include: ../nothing.md")


def test_a_picture_is_taken_when_it_is_there(small: Path) -> None:
    assert asked(small, "picture: ../plot.svg Some words") == ""
    (small / "docs/plot.svg").write_text("<svg/>")
    assert asked(small, "picture: ../plot.svg Some words") == "![Some words](../plot.svg)"


@pytest.mark.parametrize("fault", ["[nowhere](#nowhere)", "![no picture](none.png)"])
def test_what_leads_nowhere_is_an_error(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manuals, "SOURCES", tmp_path)
    (tmp_path / "small.md").write_text(f"# Small\n\nA lead.\n\n## Chapter\n\n{fault}\n")
    with pytest.raises(StackError, match="weasyprint"):
        manuals.build("small", tmp_path)
    assert not (tmp_path / "small.pdf").exists()


def test_the_date_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    assert "1 January 2026" in manuals.html(manuals.read("gke"))
