"""Responses of a preference set that nearly repeat another to their prompt, against a slow reference.

Kinds of fault: a response dropped for one to another prompt, or for one that is dropped itself; a rating or a pair of
what is gone; a row that vanishes without a word; an order of rows that decides which one stays.
"""

import json
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from curation.prompts.collect import Collected, collect
from curation.prompts.decontaminate import Params
from curation.prompts.sources import pairs
from curation.tables import contracts, parquet

RULE = {"shingle": 2, "threshold": 0.5}
WORDS = ["the", "sum", "of", "two", "and", "three", "is", "five", "or", "so", "it", "seems"]


def rows() -> list[dict[str, Any]]:
    """Three prompts with seven responses of few words each: some the same but for blanks and case, some nearly."""
    draw = Random(5)
    made = []
    for prompt in range(3):
        answers = [" ".join(draw.choices(WORDS, k=draw.randint(1, 7))) for _ in range(5)]
        answers += [f"{answers[0].upper()} .", answers[1] + " it"]
        made.append({
            "q": f"Question {prompt}", "rs": [
                {"t": text, "m": "ab"[number % 2], "score": number} for number, text in enumerate(answers)
            ],
        })  # fmt: skip
    return made


def collected(folder: Path, listed: list[dict[str, Any]], rule: dict[str, Any] | None) -> Collected:
    (folder / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in listed))
    source = pairs.Params.model_validate({
        "kind": "pairs", "split": "train", "path": str(folder / "set.jsonl"), "columns": {"prompt": "q"},
        "layout": {"kind": "responses", "each": "rs", "text": "t", "model": "m", "ratings": {"good": "score"},
                   "order_by": "good"},
    })  # fmt: skip
    settings = {"exact": True, "ngram": None, "near_duplicates": None, "near_duplicate_responses": rule}
    made = collect({"mine": source}, Params.model_validate(settings))
    for table, frame in made.tables.items():
        parquet.check(contracts.TABLES[table], frame, table)
    return made


def shingles(text: str) -> set[tuple[str, ...]]:
    words = text.lower().replace(".", " ").split()
    return {tuple(words[at : at + 2]) for at in range(len(words) - 1)} or {(" ".join(words),)}


def reference(responses: pl.DataFrame, threshold: float) -> set[int]:
    """The ids that stay, one response after the other."""
    kept: list[tuple[int, int, set[tuple[str, ...]]]] = []
    for prompt, trace, text in sorted(responses.select("prompt_id", "trace_id", "completion").rows()):
        own = shingles(text)
        alike = [len(own & of) / len(own | of) for other, _, of in kept if other == prompt]
        if max(alike, default=0) < threshold:
            kept.append((prompt, trace, own))
    return {trace for _, trace, _ in kept}


@pytest.mark.parametrize("threshold", [0.5, 0.8, 1.0])
def test_what_nearly_repeats_another_is_dropped_with_all_that_is_said_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], threshold: float
) -> None:
    whole = collected(tmp_path, rows(), None)
    assert whole.near_duplicate_responses is None
    capsys.readouterr()
    made = collected(tmp_path, rows(), RULE | {"threshold": threshold})
    stay = reference(whole.responses, threshold)
    assert set(made.responses["trace_id"]) == stay and len(stay) < whole.responses.height
    ratings = whole.ratings.filter(pl.col("trace_id").is_in(list(stay)))
    assert made.ratings.sort("trace_id").equals(ratings.sort("trace_id"))
    both = pl.all_horizontal(pl.col(f"{side}_trace_id").is_in(list(stay)) for side in contracts.SIDES)
    assert made.listed_pairs.sort("listed_id").equals(whole.listed_pairs.filter(both).sort("listed_id"))
    gone = whole.responses.height - len(stay)
    assert made.near_duplicate_responses == gone
    [line] = [
        line for line in capsys.readouterr().err.splitlines() if line.startswith("collect: ") and "nearly" in line
    ]
    assert line.startswith(
        f"collect: {gone} of {whole.responses.height} responses nearly repeat another to their prompt and are dropped "
        f"(decontaminate.near_duplicate_responses), with {gone} ratings and "
        f"{whole.listed_pairs.height - made.listed_pairs.height} listed pairs; the first, of "
    )
    turned = [{**row, "rs": row["rs"][::-1]} for row in rows()[::-1]]
    again = collected(tmp_path, turned, RULE | {"threshold": threshold})
    for table, frame in made.tables.items():
        key = contracts.TABLES[table].key
        assert frame.sort(key).equals(again.tables[table].sort(key))


def test_the_same_words_to_another_prompt_are_no_repeat(tmp_path: Path) -> None:
    alike = [{"q": name, "rs": [{"t": "so it is", "m": "a", "score": 1}]} for name in ("one", "two")]
    assert collected(tmp_path, alike, RULE).near_duplicate_responses == 0


def test_texts_of_signs_that_are_no_tokens_are_alike_only_where_they_are_the_same(tmp_path: Path) -> None:
    """The kind of fault: what has nothing to compare taken for the same as anything else that has not."""
    said = ["\U0001f600", "\U0001f389", " \U0001f600 ", "...", "?"]
    answers = [{"t": text, "m": str(number), "score": number} for number, text in enumerate(said)]
    made = collected(tmp_path, [{"q": "How are you?", "rs": answers}], {"shingle": 5, "threshold": 0.1})
    assert sorted({text.strip() for text in said}) == sorted(text.strip() for text in made.responses["completion"])
    assert made.responses.height == 4
