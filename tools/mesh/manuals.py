# SPDX-License-Identifier: Apache-2.0
"""manuals: docs/manuals/*.md as PDF files, by pandoc and WeasyPrint, with the style of tools/manuals/.

Figures are not copied into the manuals by hand. A comment in the Markdown asks for them, and is followed when the PDF
is made: `<!-- quote: ../page.md block -->` takes what stands there between "made by" and "end" marks,
`<!-- section: ../page.md Heading -->` what stands under that heading, `<!-- picture: path words -->` a picture if it
is there, `<!-- include: ../page.md -->` a whole page without its title.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from argparse import Namespace
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from stack.cache import say
from stack.mesh import PROJECT
from stack.process import StackError
from tools.mesh.images import EPOCH, revision, version

SOURCES = PROJECT / "docs/manuals"
STYLE = PROJECT / "tools/manuals"
BUILT = PROJECT / "build/manuals"
SECONDS_MAX = 300
REVISION_LEN = 12

TITLE = re.compile(r"\A# +(.+?)\n+([^\n]+)\n")
ASKED = re.compile(r"^<!-- (quote|section|picture|include): (\S+) ?(.*?) *-->$", re.MULTILINE)
RELATIVE_LINK = re.compile(r"\]\((?![a-z]+:)(?=(#?))")
NO_FIGURES = "*No figures here yet: {page} holds none. `./mesh bench` writes them there.*"
FENCE_OR_HEADING = re.compile(r"^```.*?^```|^(#+) +(.+?) *$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Manual:
    """One Markdown page: its first heading, the paragraph below, and the rest with all that it asks for."""

    name: str
    title: str
    lead: str
    body: str


def names() -> list[str]:
    return sorted(path.stem for path in SOURCES.glob("*.md"))


def _relocated(text: str, page: Path) -> str:
    """Text of a page elsewhere, with links that are right from the manuals' folder."""
    way = os.path.relpath(page.parent, SOURCES)
    return RELATIVE_LINK.sub(lambda match: f"]({way}/{page.name if match[1] else ''}", text)


def _quote(page: Path, block: str) -> str:
    found = re.search(rf"<!-- made by [^\n]*: {re.escape(block)} -->\n(.*?)<!-- end -->", page.read_text(), re.DOTALL)
    if not found:
        raise StackError(f"{page.relative_to(PROJECT)} has no block {block}")
    text = found[1].strip()
    return _relocated(text, page) if text else NO_FIGURES.format(page=f"`{page.relative_to(PROJECT)}`")


def _section(page: Path, heading: str) -> str:
    """What stands under a heading, up to the next of its level; headings in it become bold lines."""
    text = page.read_text()
    begin, end, level = -1, len(text), 0
    for match in FENCE_OR_HEADING.finditer(text):
        if match[1] and begin >= 0 and len(match[1]) <= level:
            end = match.start()
            break
        if match[1] and begin < 0 and match[2] == heading:
            begin, level = match.end(), len(match[1])
    if begin < 0:
        raise StackError(f"{page.relative_to(PROJECT)} has no heading {heading}")
    inner = FENCE_OR_HEADING.sub(lambda match: f"**{match[2]}.**" if match[1] else match[0], text[begin:end])
    return _relocated(inner.strip(), page)


def _include(page: Path) -> str:
    """A page without its title, its headings one step lower, since it becomes a chapter."""
    text = re.sub(r"\A# [^\n]*\n", "", page.read_text())
    lowered = FENCE_OR_HEADING.sub(lambda match: f"#{match[0]}" if match[1] else match[0], text)
    return _relocated(lowered.strip(), page)


def _followed(match: re.Match[str]) -> str:
    kind, path, words = match.groups()
    target = (SOURCES / path).resolve()
    if kind == "picture":
        return f"![{words}]({path})" if target.exists() else ""
    if not target.exists():
        raise StackError(f"{path} is not there, but a manual wants to {kind} it")
    if kind == "include":
        return _include(target)
    return _quote(target, words) if kind == "quote" else _section(target, words)


def read(name: str) -> Manual:
    text = (SOURCES / f"{name}.md").read_text()
    head = TITLE.match(text)
    if not head:
        raise StackError(f"docs/manuals/{name}.md begins with no heading and a paragraph below it")
    return Manual(name, head[1], head[2], ASKED.sub(_followed, text[head.end() :]))


def moment() -> datetime:
    """What the manuals bear as their date: SOURCE_DATE_EPOCH, else that of the commit."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is None:
        command = ["git", "-c", f"safe.directory={PROJECT}", "log", "-1", "--format=%ct"]
        given = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False).stdout.strip()
    return datetime.fromtimestamp(int(given or EPOCH), UTC)


def _run(command: list[str], *, epoch: int, text: str = "") -> str:
    """What a tool says on standard output; that it is content is not enough, it may not warn either."""
    done = subprocess.run(
        command,
        cwd=SOURCES,
        input=text,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    if done.returncode != 0 or done.stderr.strip():
        raise StackError(f"{command[0]} (exit code {done.returncode}) says:\n{done.stderr.strip()}")
    return done.stdout


def html(manual: Manual) -> str:
    when = moment()
    variables = {
        "title": manual.title,
        "lead": manual.lead,
        "version": version(),
        "date": f"{when.day} {when:%B %Y}",
        "created": f"{when:%Y-%m-%dT%H:%M:%SZ}",
        "revision": re.sub(r"^[0-9a-f]{40}", lambda match: match[0][:REVISION_LEN], revision()),
        "style": (STYLE / "style.css").as_uri(),
    }
    command = ["pandoc", "--from=gfm", "--to=html5", f"--template={STYLE / 'page.html'}", "--toc", "--toc-depth=3"]
    command += [f"--lua-filter={STYLE / 'print.lua'}", "--no-highlight", "--wrap=none"]
    command += [f"--variable={name}={value}" for name, value in variables.items() if name not in ("title", "lead")]
    command += [f"--metadata=title={manual.title}", f"--metadata=lead={manual.lead}"]
    command += [f"--metadata=manuals={' '.join(names())}"]
    return _run(command, epoch=int(when.timestamp()), text=manual.body)


def build(name: str, folder: Path) -> Path:
    """Makes FOLDER/NAME.pdf, the same to the byte for the same tree and date."""
    manual = read(name)
    page = html(manual)
    folder.mkdir(parents=True, exist_ok=True)
    pdf = folder / f"{name}.pdf"
    with tempfile.TemporaryDirectory(prefix="manuals-") as scratch:
        source, made = Path(scratch) / f"{name}.html", Path(scratch) / f"{name}.pdf"
        source.write_text(page)
        identifier = hashlib.sha256(page.encode()).hexdigest()[:32]
        command = ["weasyprint", f"--base-url={SOURCES.as_uri()}/", f"--pdf-identifier={identifier}"]
        _run([*command, str(source), str(made)], epoch=int(moment().timestamp()))
        shutil.copyfile(made, pdf)
    return pdf


def manuals(arguments: Namespace) -> int:
    chosen = [name for given in arguments.only for name in given.split(",")] or names()
    if unknown := sorted(set(chosen) - set(names())):
        raise StackError(f"no manual {', '.join(unknown)}; there are {', '.join(names())}")
    folder = (arguments.folder or BUILT).resolve()
    for name in chosen:
        pdf = build(name, folder)
        say(f"{pdf}: {pdf.stat().st_size:,} bytes")
    return 0
