# SPDX-License-Identifier: Apache-2.0
"""Parts of a Markdown page that are made and not typed: what stands between two markers is replaced.

<!-- made by ./mesh bench: NAME -->
| a | table |
<!-- end -->
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_BLOCK = re.compile(r"(<!-- made by \./mesh bench[^:\n]*: ([a-z-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def names(text: str) -> list[str]:
    return [match[2] for match in _BLOCK.finditer(text)]


def rewritten(text: str, blocks: Mapping[str, str]) -> str:
    """The page with these blocks. Raises ValueError unless it has each of them once, and no others."""
    there = names(text)
    if sorted(there) != sorted(blocks):
        raise ValueError(f"the page has the blocks {', '.join(there) or 'none'}; made were {', '.join(blocks)}")
    return _BLOCK.sub(lambda match: f"{match[1]}\n{blocks[match[2]].strip()}\n\n{match[4]}", text)


def table(heading: list[str], rows: list[list[str]], left: int = 1) -> str:
    """left: columns of words; the others are figures."""
    lines = ["| " + " | ".join(heading) + " |"]
    lines.append("| " + " | ".join(["---"] * left + ["--:"] * (len(heading) - left)) + " |")
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
