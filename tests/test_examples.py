"""What each method makes of an arm's rows, told before anything is trained.

Kinds of fault: the audit counts another row as dropped than training drops; a text that a cut takes away without a
word; a way out that cannot help.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import tiny
import world
from conftest import fast
from test_renderings import under

from curation.core.errors import CurationError, Errors
from curation.models import rendering, weights
from curation.models.rendering import Renderer
from curation.models.student import Params as Student
from curation.models.targets import Facts, facts, why_dropped
from curation.selection.subset import add_messages, from_frames, unpair
from curation.tables import contracts
from curation.tables.checks import check, examine_fits
from curation.traces.renderings import READ, READ_OF_PROMPTS, joined, render_traces, to_render, unrendered
from curation.training.examples import ArmRows, Method, Rendered, examples
from curation.training.trainers._training import render_trainable

RATED = ("margin", "p_chosen", "chosen_rating", "rejected_rating", "curriculum_position")
OF_PAIRS = ("pair_id", "prompt_id", "chosen_trace_id", "rejected_trace_id")
WORDS = ["four", "two", "<think>", "</think>", "ü", "\n", "4"]


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Student:
    """A student of which nothing but the tokenizer is there."""
    folder = tiny.save_tiny_tokenizer(tmp_path_factory.mktemp("student"))
    named = {"model": str(folder), "revision": weights.fingerprint(folder), "dtype": "float32", "device": "cpu"}
    return Student.model_validate(named)


class Case:
    """Random pairs of a few prompts, among them equal texts, long common beginnings and truncated traces, and what the
    toolkit says of them."""

    def __init__(self, renderer: Renderer, seed: int, lengths: dict[str, Method]) -> None:
        draw = random.Random(seed)
        head = " ".join(draw.choices(WORDS, k=20))

        def text(none: float) -> str | None:
            if draw.random() < none:
                return None
            return " ".join(draw.choices(WORDS, k=draw.randrange(1, 4))) if draw.random() < 0.5 else head + text(0)

        rows = [
            {"trace_id": number, "prompt_id": number // 4, "generator": "g", "reasoning": text(0.3),
             "completion": text(0), "status": draw.choice(["complete", "truncated"])}
            for number in range(12)
        ]  # fmt: skip
        self.traces = pl.DataFrame(rows, schema_overrides={"reasoning": pl.String}).select(READ)
        self.prompts = world.rows_of(contracts.PROMPTS, [
            {"prompt_id": number, "prompt": [{"role": "user", "content": "two " * draw.randrange(1, 30)}]}
            for number in range(3)
        ])  # fmt: skip
        ids = [(a, b) for a, b in product(range(12), repeat=2) if a // 4 == b // 4 and a != b]
        pairs = [
            {"pair_id": 100 + n, "prompt_id": a // 4, "chosen_trace_id": a, "rejected_trace_id": b}
            for n, (a, b) in enumerate(ids)
        ]
        self.texts = from_frames(self.traces.with_columns(external_id=pl.lit(None, pl.String)), self.prompts)
        self.pairs = add_messages(world.rows_of(contracts.SUBSETS, pairs).select(*OF_PAIRS, *RATED), self.texts)
        better = self.pairs.filter(pl.col("chosen_trace_id") < pl.col("rejected_trace_id"))
        self.unpaired = unpair(better.filter(pl.col("chosen_trace_id") % 4 == 0))
        self.renderer = renderer
        read = joined(self.traces, self.prompts.select(READ_OF_PROMPTS))
        self.rows = dict(zip(read["trace_id"], to_render(read), strict=True))
        self.whole = {trace_id: renderer.render(*row) for trace_id, row in self.rows.items()}
        known = [unrendered(self.traces), render_traces(renderer, self.traces, self.prompts.select(READ_OF_PROMPTS))]
        arms = {"arm": ArmRows(self.pairs, self.unpaired)}
        self.said, again = (
            examples(arms, {"arm": lengths}, Rendered(one, self.texts, lambda: renderer),
                     renderer.student)
            for one in known
        )  # fmt: skip
        assert self.said.equals(again), "whether traces were counted before changes nothing"


TEMPLATES = [(None, "inline"), ("deepseekv3", "inline"), ("qwen3", "reasoning_content"), ("deepseekv3", "text"),
             ("nemotron_3_nano", "reasoning_content"), (None, "drop")]  # fmt: skip


@pytest.mark.parametrize(
    ("template", "way", "seed"),
    [
        pytest.param(*case, seed, marks=[pytest.mark.slow] * (seed > 0 or at > 0))
        for seed in range(4)
        for at, case in enumerate(TEMPLATES)
    ],
)
def test_the_audit_finds_what_training_would(student: Student, template: str | None, way: str, seed: int) -> None:
    """Row by row, from the tokens themselves."""
    settings = student.model_copy(update={"reasoning": way})
    renderer = rendering.load(settings) if template is None else under(student, template, reasoning=way)
    some = Case(renderer, seed, {})
    lengths = sorted({len(one.ids) for one in some.whole.values()} | {one.start for one in some.whole.values()})
    limits = random.Random(seed).sample([*lengths, 1, 40, 60, 10_000], 8 if seed else 4)
    methods = {f"{kind}{limit}": Method(kind, limit) for kind in ("dpo", "kto", "sft") for limit in set(limits)}
    case = Case(renderer, seed, methods)
    said = {(row["method"], row["row_id"], row["side"]): row for row in case.said.iter_rows(named=True)}

    @cache  # the same of every method
    def facts_of(trace: int, length: int | None) -> Facts:
        return facts(renderer, case.rows[trace], case.whole[trace], length)

    expected = set()
    for name, (kind, limit, _) in methods.items():
        sides = {
            "dpo": {
                pair: {"chosen": chosen, "rejected": rejected}
                for pair, chosen, rejected in case.pairs.select(OF_PAIRS).drop("prompt_id").iter_rows()
            },
            "kto": {
                trace: {"chosen" if label else "rejected": trace}
                for trace, label in case.unpaired.select("trace_id", "label").iter_rows()
            },
            "sft": {trace: {"chosen": trace} for trace in case.pairs["chosen_trace_id"].unique()},
        }[kind]
        for row_id, traces in sides.items():
            dropped = why_dropped([case.whole[trace] for trace in traces.values()], limit)
            for side, trace in traces.items():
                row, whole = said[name, row_id, side], case.whole[trace]
                there, left = facts_of(trace, None), facts_of(trace, limit)
                assert row["dropped"] == dropped, (name, row_id)
                assert row["cut"] == (len(whole.ids) > limit)
                assert row["prompt_tokens"] == min(case.whole[one].start for one in traces.values())
                assert row["prompt_tokens"] + row["target_tokens"] == len(whole.ids)
                assert (row["reasoning"] == "kept") == bool(there.reasoning_kept and left.reasoning_kept)
                assert (row["completion"] == "kept") == bool(there.completion_kept and left.completion_kept)
                assert row["ends_in_eos"] == left.ends_in_eos
                expected.add((name, row_id, side))
    assert said.keys() == expected
    for name, (kind, limit, _) in methods.items():
        rows, sides = (case.unpaired, ("completion",)) if kind == "kto" else (case.pairs, contracts.SIDES)
        left = case.said.filter(pl.col("method") == name, pl.col("dropped").is_null())["row_id"].unique()
        if kind == "sft":
            continue
        try:
            kept, counts = render_trainable(renderer, rows, sides, limit)
        except CurationError:
            assert left.is_empty()
            continue
        assert set(left) == set(kept[rows.columns[0]]) and counts["examples"] == kept.height
        assert counts["sides_truncated"] == case.said.filter(pl.col("method") == name)["cut"].sum()


def planted(**values: Any) -> Callable[[world.World], world.World]:
    """The sound world with other values in all examples of ARM."""
    return lambda made: replace(
        made,
        examples=made.examples.with_columns(
            pl.when(arm=world.ARM)
            .then(value if isinstance(value, pl.Expr) else pl.lit(value))
            .otherwise(name)
            .alias(name)
            for name, value in values.items()
        ).cast(dict(made.examples.schema)),
    )


CHOSEN = pl.col("side") == "chosen"
FIRST = pl.col("row_id") == pl.col("row_id").min()
NOTHING = {"target_tokens": None, "fault": "System role not supported"}
STOPS = {  # check: what it stops at, and what it says
    "template_refuses": (planted(**NOTHING), "6 of 6 sides that dpo reads cannot be rendered, as of row "),
    "nothing_to_learn": (
        planted(dropped="no_room"),
        "dpo learns from none of 3 rows: of 3 the prompt fills max_length 256, 0 are the same ",
    ),
    "all_reasoning_lost": (
        planted(reasoning=pl.when(CHOSEN).then(pl.lit("lost"))),
        "the template deletes all reasoning of 3 of 3 chosen and 0 of 0 rejected sides that dpo reads, as of row ",
    ),
    "no_answer_left": (
        planted(completion=pl.when(CHOSEN).then(pl.lit("cut")).otherwise("completion"), cut=CHOSEN),
        "dpo reads no answer of the chosen sides to its end within max_length 256: 0 of 3 chosen and 3 of 3 rejected ",
    ),
}
WARNS = {
    "some_reasoning_lost": (
        planted(reasoning=pl.when(CHOSEN & FIRST).then(pl.lit("lost")).otherwise(pl.lit("kept"))),
        "the template deletes the reasoning of 1 of 3 chosen and 0 of 3 rejected sides that dpo reads, as of row ",
    ),
    "answer_lost": (
        planted(completion=pl.when(FIRST).then(pl.lit("lost")).otherwise("completion")),
        "the chat template deletes 2 answers that dpo reads, as of row ",
    ),
    "reasoning_on_one_side": (
        planted(
            reasoning=pl.when(CHOSEN).then(pl.lit("kept")).when(FIRST).then(pl.lit("cut")), prompt_is_prefix=CHOSEN
        ),
        "of 1 the other side lost its own; they teach whether to reason, and 3 in another context than the student ",
    ),
    "identical_once_rendered": (
        planted(dropped=pl.when(FIRST).then(pl.lit("identical"))),
        "and are left out; what they differ in is lost to the chat template: set another student.reasoning",
    ),
    "no_room_for_answer": (
        planted(dropped=pl.when(FIRST).then(pl.lit("no_room"))),
        "the prompts of 1 of 3 rows fill max_length 256 of dpo, such as of ",
    ),
    "cut_by_max_length": (
        planted(cut=CHOSEN & FIRST, target_tokens=pl.when(CHOSEN & FIRST).then(990).otherwise("target_tokens")),
        "dpo cuts 1 of 3 chosen and 0 of 3 rejected sides at max_length 256, such as of row ",
    ),
    "prompt_is_no_prefix": (planted(prompt_is_prefix=~FIRST), "in 2 of 6 sides that dpo reads, such as of row "),
    "eos_missing": (planted(ends_in_eos=~FIRST), "2 of 6 sides that dpo reads end in no token that ends an answer, "),
    "trained_as_ended": (
        planted(truncated=FIRST),
        "2 of 6 sides that dpo reads were cut off in generation and end as ",
    ),
}


@pytest.mark.parametrize("name", fast([*STOPS, *WARNS], 4))
def test_what_is_planted_is_said_of_the_arm_and_the_method(name: str) -> None:
    plant, said = (STOPS | WARNS)[name]
    found = examine_fits(plant(world.sound()).examples)
    lines = found.stops if name in STOPS else found.warnings
    (line,) = [line for line in lines if said in line]
    assert line.startswith(f"{world.ARM}: ")


def test_of_sound_examples_nothing_is_said() -> None:
    found = examine_fits(world.sound().examples)
    assert (found.stops, found.warnings) == ([], [])
    assert found.rows.select("arm", "rows", "learnt").rows() == [(world.ARM, 3, 3), (world.BESIDE, 3, 3)]


@pytest.mark.parametrize(
    ("context", "way_out"),
    [
        (None, "raise methods.dpo.max_length to 1000"),
        (1000, "raise methods.dpo.max_length to 1000"),
        (500, "raise methods.dpo.max_length to 500, and leave longer ones out, as by `require: {room: greatest("
         "chosen.tokens, rejected.tokens) < 490}`: the student reads 500 tokens at most"),
        (256, "leave longer ones out, as by `require: {room: greatest(chosen.tokens, rejected.tokens) < 246}`: the "
         "student reads 256 tokens at most"),
        (5, "the student reads 5 tokens at most: name another"),
    ],
)  # fmt: skip
def test_max_length_is_raised_only_as_far_as_that_helps(context: int | None, way_out: str) -> None:
    plant = planted(cut=CHOSEN, target_tokens=pl.when(CHOSEN).then(990).otherwise("target_tokens"), context=context)
    (line,) = examine_fits(plant(world.sound()).examples).warnings
    assert line.endswith(f"0 lose reasoning, 0 the end of their answer; {way_out}")


def test_max_length_is_not_raised_for_what_no_length_changes() -> None:
    """Two sides that are the same tokens however long, though both are cut; answers that the template deletes, beside
    one that is cut."""
    cut = {"cut": True, "target_tokens": 990}
    (same,) = examine_fits(planted(**cut, dropped="identical")(world.sound()).examples).stops
    assert "3 are the same tokens on both sides; set student.reasoning or " in same
    (once_cut,) = examine_fits(planted(**cut, dropped="identical_once_cut")(world.sound()).examples).stops
    assert "3 are the same tokens on both sides; raise methods.dpo.max_length to 1000" in once_cut
    lost = pl.when(CHOSEN).then(pl.lit("lost")).when(FIRST).then(pl.lit("cut")).otherwise("completion")
    assert examine_fits(planted(completion=lost, cut=~CHOSEN & FIRST)(world.sound()).examples).stops == []


def test_the_audit_stops_at_what_the_template_deletes(tmp_path: Path) -> None:
    made = planted(reasoning=pl.when(CHOSEN).then(pl.lit("lost")))(world.sound())
    with pytest.raises(
        Errors, match=rf"check all_reasoning_lost: 1 row\(s\), such as {world.ARM}: the template deletes"
    ):
        check("before_training", world.write(made, tmp_path))
