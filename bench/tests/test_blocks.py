# SPDX-License-Identifier: Apache-2.0
"""Parts of pages that are made: only what is between the marks changes."""

from __future__ import annotations

import pytest

from bench.driver import blocks

PAGE = """Before.

<!-- made by ./mesh bench: one -->
old
<!-- end -->

Between, <!-- a comment -->.

<!-- made by ./mesh bench: two-b -->
<!-- end -->
After.
"""


def test_only_what_is_between_the_marks_changes() -> None:
    done = blocks.rewritten(PAGE, {"one": "new \\1", "two-b": "| a |"})
    assert done == PAGE.replace("old\n", "\nnew \\1\n\n").replace("two-b -->\n", "two-b -->\n\n| a |\n\n")
    assert blocks.names(done) == ["one", "two-b"]


@pytest.mark.parametrize("made", [{"one": "x"}, {"one": "x", "two-b": "y", "three": "z"}, {}])
def test_a_page_that_lacks_a_block_or_has_another_is_refused(made: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="the page has the blocks one, two-b; made were"):
        blocks.rewritten(PAGE, made)


def test_a_block_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ValueError):
        blocks.rewritten(PAGE + PAGE, {"one": "x", "two-b": "y"})


def test_figures_of_a_table_are_to_the_right() -> None:
    made = blocks.table(["name", "a", "b"], [["x", "1", "2"]])
    assert made == "| name | a | b |\n| --- | --: | --: |\n| x | 1 | 2 |"
