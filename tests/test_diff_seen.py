"""What docs/diff.md shows of two edits of the default study is what `curation diff` says after them, made again here.

Kind of fault: a figure on the page that nothing prints any more."""

from pathlib import Path

import pytest

from bench.changes import EDITS, show

PAGE = (Path(__file__).parents[1] / "docs/diff.md").read_text()


@pytest.mark.long
@pytest.mark.parametrize("name", EDITS)
def test_the_page_shows_what_an_edit_changes(name: str, tmp_path: Path) -> None:
    said = show(tmp_path, *EDITS[name])
    assert f"```\n{said}```" in PAGE, said
