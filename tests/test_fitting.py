"""Tables fit the terminal. The kind of fault: a row that a terminal breaks where it likes, so that no column stands
under its name; a text that is cut to make it fit; an id that is parted."""

from pathlib import Path

import polars as pl
import pytest
import world
from hypothesis import given
from hypothesis import strategies as st

from curation.commands import forecast, ledger, plan, runs, shelf, sql
from curation.commands.fitting import count_columns, fit, list_cells, wrap
from curation.commands.rows import print_rows

TABLE = {
    "contrast": ["stable.number_theory_and_letters", "kto_as_dpo"],
    "on": ["arithmetic_held_out, number_theory_and_letters (30)", "日本語 全角 é"],
    "prompt_id": ["-1234567890123456789", "7"],
    "half width": ["0.200", "0.104"],
    "takes": ["78 prompts or 16 samples or 3 seeds", ""],
}


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_a_table_is_no_wider_than_the_terminal_and_says_all(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_rows(pl.DataFrame(TABLE))
    out = capsys.readouterr().out
    assert max(map(count_columns, out.splitlines())) <= width and "-1234567890123456789" in out
    words = {word for cells in TABLE.values() for text in cells for word in text.replace("_", " ").split()}
    assert [word for word in words if word not in out and "." not in word] == []


def test_names_give_way_before_what_they_are_of() -> None:
    cells = [["half width", "on"], ["0.2", "a_benchmark"]]
    assert fit(cells, 5 + 11 + 7) == [["half\nwidth", "on"], ["0.2", "a_benchmark"]]
    assert fit(cells, 5 + 10 + 7) == [["half\nwidth", "on"], ["0.2", "a_\nbenchmark"]]
    assert fit(cells, 5 + 8 + 7) is None


def test_a_table_without_room_is_a_line_for_each_cell() -> None:
    assert list(list_cells(["a", "long"], [["1", "x y"], ["", "z"]], 30)) == [
        "─ 1 " + "─" * 26, "a     1", "long  x y", "─ 2 " + "─" * 26, "a", "long  z",
    ]  # fmt: skip


@given(st.text(st.characters(exclude_categories=("C",)), max_size=60), st.integers(2, 30))
def test_no_letter_is_lost_in_wrapping(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(count_columns(line) <= width for line in lines)


def test_every_table_of_a_command_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All are printed by one function; these are the widest of them."""
    monkeypatch.chdir(world.write(world.sound(), tmp_path).parent)
    monkeypatch.setenv("COLUMNS", "80")
    for module in (plan, forecast):  # to load a tokenizer takes longer than all else, and widens no table
        monkeypatch.setattr(module, "has_tokenizer", lambda settings: False)
    for command, words in (
        (plan, ["power"]), (plan, ["calls"]), (plan, ["memory"]), (plan, ["--labels"]), (shelf, []), (runs, ["list"]),
        (ledger, ["stat"]), (sql, ["select * from candidates"]), (sql, ["-q", "contrasts"]), (sql, ["-q", "gains"]),
    ):  # fmt: skip
        command.main(words)
        rows = [line for line in capsys.readouterr().out.splitlines() if line[:1] in "┌│╞└─"]
        assert max(map(count_columns, rows), default=0) <= 80, (command, words)


def test_no_command_prints_a_table_by_itself() -> None:
    folder = Path(plan.__file__).parent
    assert [file.name for file in folder.glob("*.py") if "pl.Config" in file.read_text()] == ["rows.py"]
