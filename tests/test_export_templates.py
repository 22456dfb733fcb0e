"""What a chat template does to rows that are exported is said, by the templates that TRL ships.

Kinds of fault: a template that deletes, adds or moves something without a word; a cut that leaves nothing to learn.
"""

import json
from pathlib import Path

import pytest
import tiny
from exporting import NAME, PLAIN, THOUGHT, answer, pair, said, save_study
from served import Done, ran
from test_preflight import template

from curation.exchange.templates import TRAPS

LONG = "So it goes on and on. " * 20


def exported(folder: Path, to: str, chat: str, *options: str) -> Done:
    """An export with a tokenizer of bytes under one of TRL's templates."""
    if not (folder / chat).exists():
        tiny.save_tiny_tokenizer(folder / chat)
        (folder / chat / "chat_template.jinja").write_text(template(chat).read_text())
    words = ["export", NAME, "--to", to, "--out", "out", "--method", "dpo", "--tokenizer", chat, "--replace", *options]
    return ran(folder, "curation", *words)


def found(folder: Path) -> dict[str, int]:
    """How many rows fell into each trap."""
    (made,) = json.loads((folder / "out/manifest.json").read_text())["sets"]
    return {name: len(ids) for name, ids in made["found"].items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chat", "options", "wanted"),
    [
        ("deepseek_r1_distill", ["--reasoning", "inline"],
         {"reasoning_deleted": 2, "prompt_changed": 6, "opens_reasoning": 5}),
        ("qwen3", ["--reasoning", "reasoning_content"], {"empty_block": 5}),
        ("qwen3", ["--reasoning", "inline"], {"empty_block": 5}),
        ("qwen2_5", ["--reasoning", "inline"], {"default_system": 4}),
        ("gemma", ["--reasoning", "inline"], {"refused": 2}),
        ("llama3", ["--reasoning", "inline"], {}),
    ],
)  # fmt: skip
def test_what_a_template_does_to_rows_is_counted(
    tmp_path: Path, chat: str, options: list[str], wanted: dict[str, int]
) -> None:
    """Six pairs: two of them have a system message, of two one side or both think."""
    save_study(tmp_path, PLAIN + THOUGHT)
    options = [*options, "--max-length", "4096"]
    done = exported(tmp_path, "trl", chat, *options)
    assert done.returncode == 0 and "no tokenizer was named" not in done.stderr, done.stderr
    assert found(tmp_path) == wanted and wanted.keys() <= TRAPS.keys()
    strict = exported(tmp_path, "trl", chat, *options, "--strict")
    assert (strict.returncode == 1) == bool(wanted) and all(f": {name}: " in strict.stderr for name in wanted)


@pytest.mark.slow
def test_what_a_length_leaves_is_counted(tmp_path: Path) -> None:
    """Of four pairs one fits; of one an answer is cut, of one both are cut to the same, of one the prompt fills all."""
    same = [said("user", "1?")]
    save_study(tmp_path, [
        pair("fits", same, answer("4"), answer("5")),
        pair("cut", [said("user", "2?")], answer(LONG), answer("5")),
        pair("once cut", [said("user", "3?")], answer(LONG + "4"), answer(LONG + "5")),
        pair("no room", [said("user", LONG)], answer("4"), answer("5")),
    ])  # fmt: skip
    assert exported(tmp_path, "openrlhf", "llama3", "--max-length", "300").returncode == 0
    assert found(tmp_path) == {"cut": 1, "identical_once_cut": 1, "no_room": 1}
    assert exported(tmp_path, "openrlhf", "llama3", "--max-length", "3000").returncode == 0
    assert found(tmp_path) == {}
