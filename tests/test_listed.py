"""What consumes the three tables of a preference set: its responses become traces, its ratings judgments, its verdicts
preferences, its pairs candidates; ids and columns of the user's own rows reach the subsets.

Kinds of fault: a label that moves to another text or changes sides; what the file lacks read as an answer; a row that
vanishes without a word; an order of rows that changes one of ours; a setting that would do nothing.
"""

import json
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any

import flow
import polars as pl
import pytest
import world

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.core.params import read
from curation.judging.judge import judge
from curation.judging.judges import listed as ratings_kind
from curation.judging.pairwise_judges import listed as verdicts_kind
from curation.judging.prefer import prefer
from curation.pairs.pair import pair
from curation.selection import from_frames, own_rows, subset
from curation.tables import contracts, parquet
from curation.tables.carried import read_carried
from curation.tables.contracts import LISTED_PAIRS, PROMPTS, RATINGS, RESPONSES
from curation.tables.ids import content_id
from curation.traces.generate import generate
from curation.traces.generators import listed as generators_kind

SET = "uf"
TEXTS = {  # name: question, model, text
    "a": ("plus", "gpt", "It is 5"),
    "b": ("plus", "llama", "Perhaps 6"),
    "c": ("plus", "gpt", "Five."),
    "d": ("times", "llama", "24"),
    "e": ("times", "gpt", "24 "),
    "f": ("times", "mute", ""),
}


def prompt(question: str) -> int:
    return content_id(SET, question)


def trace(name: str) -> int:
    """The id of a response, as one of an imported trace is made."""
    question, model, text = TEXTS[name]
    return content_id(prompt(question), f"{model}\x1f{text}", 0)


PROMPT_ROWS = world.rows_of(
    PROMPTS,
    [
        {"prompt_id": prompt(name), "source": SET, "task": "", "split": "train",
         "prompt": [{"role": "user", "content": name}], "external_id": f"ask-{name}"}
        for name in ("plus", "times")
    ],
)  # fmt: skip
RESPONSE_ROWS = world.rows_of(
    RESPONSES,
    [
        {"trace_id": trace(name), "source": SET, "prompt_id": prompt(question), "generator": model,
         "sample_index": 0, "completion": text, "finish_reason": "stop", "external_id": f"own-{name}",
         "carried": f'{{"row": "{question}"}}'}
        for name, (question, model, text) in TEXTS.items()
    ],
)  # fmt: skip


def rating(name: str, score: float | None, repeat: int = 0, why: str | None = None, dimension: str = "helpful") -> Any:
    about = {"source": SET, "trace_id": trace(name), "dimension": dimension, "repeat": repeat}
    return {**about, "score": score, "rationale": why}


def row(number: int, chosen: str, rejected: str, verdict: str | None = "chosen", order: str = contracts.UNKNOWN) -> Any:
    """One row of `listed_pairs`; its listed_id is its number."""
    sides = {"chosen_trace_id": trace(chosen), "rejected_trace_id": trace(rejected)}
    about = {"listed_id": number, "source": SET, "prompt_id": prompt(TEXTS[chosen][0])}
    told = {"verdict": verdict, "order": order, "external_id": f"row-{number}", "carried": f'{{"n": {number}}}'}
    return about | sides | told


RATED = [rating("a", 5, why="right"), rating("a", 4, 1), rating("b", None), rating("c", 1)]
ROWS = [row(1, "a", "b"), row(2, "b", "a"), row(3, "a", "b"), row(4, "b", "c", "tie"), row(5, "d", "e", "both_bad"),
        row(6, "a", "c", None, "rejected_first"), row(7, "d", "f")]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where stages run, with the table that the judge reads."""
    monkeypatch.chdir(tmp_path)
    parquet.write(RATINGS, world.rows_of(RATINGS, RATED), contracts.path("ratings"))
    return tmp_path


def generator(**changes: Any) -> generators_kind.Params:
    body = {"kind": "listed", "source": SET, "family": "any", "scale_b": None}
    return generators_kind.Params.model_validate(body | changes)


def traces(ledger: Ledger, **changes: Any) -> pl.DataFrame:
    return generate("uf", generator(**changes), PROMPT_ROWS, ledger, RESPONSE_ROWS)


def test_responses_are_traces_as_they_are(ledger: Ledger) -> None:
    made = traces(ledger, models={"gpt": {"family": None, "scale_b": 7.0}})
    parquet.check(contracts.TRACES, made, "traces")
    said = dict(zip(made["trace_id"], made.select("generator", "family", "scale_b", "completion", "external_id").rows(),
                    strict=True))  # fmt: skip
    assert said[trace("a")] == ("gpt", None, 7.0, "It is 5", "own-a")
    assert said[trace("b")] == ("llama", "any", None, "Perhaps 6", "own-b")
    assert made.height == len(TEXTS) and set(made["status"]) == {"complete"}
    assert made.sort("trace_id").equals(
        generate("uf", generator(models={"gpt": {"family": None, "scale_b": 7.0}}), PROMPT_ROWS, ledger,
                 RESPONSE_ROWS.reverse()).sort("trace_id")
    )  # fmt: skip


def test_a_model_or_a_source_without_a_response_is_named(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """A model is no mistake: all rows of it may have been left out, or their prompts dropped."""
    made = traces(ledger, models={"gtp": {"family": None, "scale_b": None}})
    assert capsys.readouterr().err == "uf: models: 'gtp' wrote no response of uf; did you mean 'gpt'?\n"
    assert made.height == len(TEXTS)
    with pytest.raises(CurationError, match="generator uf: source other has no response; `dvc repro collect`"):
        traces(ledger, source="other")


def test_ratings_are_judgments(folder: Path, ledger: Ledger) -> None:
    settings = ratings_kind.Params.model_validate({"kind": "listed", "source": SET, "scale": {"helpful": [1.0, 5.0]}})
    rows = judge("people", settings, traces(ledger), PROMPT_ROWS, ledger)
    parquet.check(contracts.JUDGMENTS, rows, "judgments")
    assert {
        (name, *told)
        for name in TEXTS
        for told in rows.filter(trace_id=trace(name)).select("repeat", "score", "status", "rationale").rows()
    } == {
        ("a", 0, 5.0, "scored", "right"), ("a", 1, 4.0, "scored", None), ("b", 0, None, "missing", None),
        ("c", 0, 1.0, "scored", None), *((name, 0, None, "no_reference", None) for name in "def"),
    }  # fmt: skip
    assert settings.scales == {"helpful": (1.0, 5.0)} and settings.dimension_names == ["helpful"]


def test_a_rating_off_its_scale_is_refused(folder: Path, ledger: Ledger) -> None:
    settings = ratings_kind.Params.model_validate({"kind": "listed", "source": SET, "scale": {"helpful": [1.0, 4.0]}})
    with pytest.raises(
        CurationError,
        match=rf"^source uf: 1 rating of helpful is off the scale from 1 to 4, such as 5 of trace {trace('a')}; "
        r"correct them, or params.yaml: judges.people.scale.helpful$",
    ):
        judge("people", settings, traces(ledger), PROMPT_ROWS, ledger)
    other = ratings_kind.Params.model_validate({"kind": "listed", "source": SET, "scale": {"brief": [1.0, 4.0]}})
    with pytest.raises(CurationError, match="judge people: source uf rates no trace"):
        judge("people", other, traces(ledger), PROMPT_ROWS, ledger)


def verdicts(
    pairs: pl.DataFrame, ledger: Ledger, rows: list[dict[str, Any]] = ROWS
) -> dict[tuple[str, str], list[tuple[Any, ...]]]:
    """What the set says of each pair of `pairs`, by the names of its two texts."""
    settings = verdicts_kind.Params.model_validate({"kind": "listed", "source": SET})
    rows = prefer("labels", settings, pairs, traces(ledger), PROMPT_ROWS, ledger, world.rows_of(LISTED_PAIRS, rows))
    parquet.check(contracts.PREFERENCES, rows, "preferences")
    names = {trace(name): name for name in TEXTS}
    told: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for chosen, rejected, *said in (
        rows.join(pairs, on="pair_id").sort("pair_id", "order", "repeat")
        .select("chosen_trace_id", "rejected_trace_id", "verdict", "order", "repeat", "status").rows()
    ):  # fmt: skip
        told.setdefault((names[chosen], names[rejected]), []).append(tuple(said))
    return told


def test_verdicts_reach_a_pair_whichever_way_round_it_stands(ledger: Ledger) -> None:
    """Two rows of one pair are repeats, also where they contradict each other."""
    pairs = pair(world.pairing(within_generator=True, empty="keep"), traces(ledger))
    told = verdicts(pairs, ledger)
    assert sorted(verdict for verdict, *_ in told["a", "b"]) == ["chosen", "chosen", "rejected"]
    assert [repeat for *_, repeat, _ in told["a", "b"]] == [0, 1, 2]
    turned = {"chosen": "rejected", "rejected": "chosen", "tie": "tie", None: None}
    for (one, other), rows in told.items():
        orders = {contracts.UNKNOWN: contracts.UNKNOWN} | dict(
            zip(contracts.ORDERS, contracts.ORDERS[::-1], strict=True)
        )
        assert told[other, one] == [(turned[verdict], orders[order], *rest) for verdict, order, *rest in rows]
    assert told["b", "c"] == [("tie", "unknown", 0, "scored")]
    assert told["a", "c"] == [(None, "rejected_first", 0, "missing")]
    assert told["c", "a"] == [(None, "chosen_first", 0, "missing")]
    assert ("d", "e") not in told, "the two are identical, and shown to no judge"
    assert told["d", "f"] == [("chosen", "unknown", 0, "scored")]
    assert verdicts(pairs, ledger, ROWS[::-1]) == told


def test_both_bad_is_a_tie(ledger: Ledger) -> None:
    pairs = pair(world.pairing(), traces(ledger))
    assert verdicts(pairs, ledger, [row(1, "a", "b", "both_bad")])["a", "b"] == [("tie", "unknown", 0, "scored")]


def test_a_set_that_says_nothing_of_the_pairs_is_refused(ledger: Ledger) -> None:
    pairs = pair(world.pairing(), traces(ledger)).filter(prompt_id=prompt("plus"))
    with pytest.raises(CurationError, match="pairwise judge labels: source uf compares the traces of no pair"):
        verdicts(pairs, ledger, [row(1, "d", "f")])


def test_a_set_that_compares_nothing_and_a_study_without_pairs_have_no_verdict(ledger: Ledger) -> None:
    """As labelled rows, each the only one of its prompt: alone, or beside a set that has pairs."""
    pairs = pair(world.pairing(), traces(ledger))
    assert verdicts(pairs, ledger, []) == verdicts(pairs.clear(), ledger) == {}


def candidates(ledger: Ledger, rows: list[dict[str, Any]] = ROWS, **changes: Any) -> list[tuple[str, str]]:
    """The candidates where pairs are listed, by the names of their texts."""
    settings = world.pairing(**{"order": "listed", "within_generator": True} | changes)
    made = pair(settings, traces(ledger), world.rows_of(LISTED_PAIRS, rows))
    parquet.check(contracts.PAIRS, made, "pairs")
    again = pair(settings, traces(ledger).reverse(), world.rows_of(LISTED_PAIRS, rows[::-1]))
    assert made.equals(again)
    names = {trace(name): name for name in TEXTS}
    return sorted(
        (names[one], names[other]) for one, other in made.select("chosen_trace_id", "rejected_trace_id").rows()
    )


def test_listed_pairs_are_the_candidates(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    assert candidates(ledger) == [("a", "b"), ("a", "c"), ("b", "a"), ("b", "c"), ("d", "e")]
    said = capsys.readouterr().err
    assert "pair: 1 of 6 listed pairs have a side without a text, or an empty one (pair.empty: drop); left" in said
    assert "pair: 1 of 7 rows list a pair that another row lists too; each pair is one candidate\n" in said
    assert "pair: 2 candidates are one pair listed both ways round\n" in said


def test_the_first_of_the_pairs_of_two_texts_is_that_of_the_least_ids(ledger: Ledger) -> None:
    """Forty models wrote the same two texts; a set lists each against each. The kind of fault: a first one that is the
    first by where a library happens to put it."""
    models = [f"model-{number}" for number in range(40)]
    wrote = {(model, text): content_id(prompt("plus"), f"{model}\x1f{text}", 0) for model in models for text in "56"}
    responses = world.rows_of(RESPONSES, [
        {"trace_id": number, "source": SET, "prompt_id": prompt("plus"), "generator": model, "sample_index": place,
         "completion": text, "finish_reason": "stop"}
        for place, ((model, text), number) in enumerate(wrote.items())
    ])  # fmt: skip
    listed = world.rows_of(LISTED_PAIRS, [
        {"listed_id": number, "source": SET, "prompt_id": prompt("plus"), "chosen_trace_id": wrote[one, "5"],
         "rejected_trace_id": wrote[other, "6"], "verdict": "chosen", "order": contracts.UNKNOWN}
        for number, (one, other) in enumerate(pairwise(models))
    ])  # fmt: skip
    written = generate("uf", generator(), PROMPT_ROWS, ledger, responses)
    made = pair(world.pairing(order="listed", within_generator=True, samples="all"), written, listed)
    first = made.sort("chosen_trace_id", "rejected_trace_id")["pair_id"][0]
    assert made.height == 39 and set(made["same_texts_as"]) == {first}


@pytest.mark.parametrize(
    ("changes", "gone", "said"),
    [
        ({"within_generator": False}, {("a", "c")}, "1 of 6 listed pairs have both sides by one generator (pair.wi"),
        ({"chosen": ["gpt"]}, {("b", "a"), ("b", "c"), ("d", "e")}, "left_out"),
        ({"rejected": ["llama"]}, {("a", "c"), ("b", "a"), ("b", "c"), ("d", "e")}, "by a generator that pair.chosen"),
        ({"identical": "drop"}, {("d", "e")}, "1 of 6 listed pairs have two sides that say the same (pair.iden"),
        ({"empty": "keep"}, set(), ""),
    ],
)  # fmt: skip
def test_what_a_setting_leaves_out_of_the_listed_pairs_is_said(
    changes: dict[str, Any], gone: set[tuple[str, str]], said: str, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = {("a", "b"), ("a", "c"), ("b", "a"), ("b", "c"), ("d", "e")} | (
        {("d", "f")} if "empty" in changes else set()
    )
    assert set(candidates(ledger, **changes)) == kept - gone
    assert said.replace("left_out", "pair.chosen or pair.rejected leaves out") in capsys.readouterr().err


def test_ids_and_columns_of_the_users_rows_reach_the_subsets(ledger: Ledger) -> None:
    """Of several rows the one with the least listed_id, of those that list the pair as it stands; of a pair that no
    row lists, what its two responses have in common."""
    written = traces(ledger)
    pairs = pair(world.pairing(within_generator=True), written)
    rows = pairs.select(
        "pair_id", "prompt_id", "chosen_trace_id", "rejected_trace_id", *(
            pl.lit(None, dtype).alias(name)
            for name, dtype in {"margin": pl.Float64, "p_chosen": pl.Float64, "chosen_rating": pl.Float64,
                                "rejected_rating": pl.Float64, "curriculum_position": pl.Int32}.items()
        ),
    ).filter(~pairs["identical"])  # fmt: skip
    texts = subset.from_frames(written, PROMPT_ROWS, RESPONSE_ROWS, world.rows_of(LISTED_PAIRS, ROWS[::-1]))
    made = subset.add_messages(rows, texts)
    parquet.check(contracts.SUBSETS, made, "subset")
    names = {trace(name): name for name in TEXTS}
    told = {
        (names[chosen], names[rejected]): said
        for chosen, rejected, *said in made.select(
            "chosen_trace_id", "rejected_trace_id", "external_id", "carried", "chosen_external_id"
        ).iter_rows()
    }
    assert told["a", "b"] == ["row-1", '{"n": 1}', "own-a"]
    assert told["b", "a"] == ["row-2", '{"n": 2}', "own-b"]
    assert told["c", "b"] == ["row-4", '{"n": 4}', "own-c"], "the other way round"
    asked = {prompt(name): f"ask-{name}" for name in ("plus", "times")}
    assert all(asked[one] == own for one, own in made.select("prompt_id", "prompt_external_id").rows())
    loose = subset.unpair(made.filter(external_id="row-1"), texts)
    assert loose["prompt_external_id"].to_list() == ["ask-plus"] * 2
    parquet.check(contracts.UNPAIRED, loose, "unpaired")
    assert set(loose.select("label", "external_id", "carried").rows()) == {
        (True, "own-a", '{"row": "plus"}'), (False, "own-b", '{"row": "plus"}')
    }  # fmt: skip
    own = pl.concat_str(pl.lit('{"n": '), pl.int_range(pl.len()), pl.lit(', "row": "plus"}'))
    remarked = RESPONSE_ROWS.with_columns(pl.when(pl.col("carried").is_not_null()).then(own).alias("carried"))
    no_rows = subset.from_frames(written, PROMPT_ROWS, remarked, contracts.empty(LISTED_PAIRS))
    assert set(subset.add_messages(rows, no_rows).select("external_id", "carried").rows()) == {(None, '{"row":"plus"}')}


CARRIED: list[tuple[Any, str | None]] = [
    ("a", "a"), ("", ""), ("3", "3"), (3, "3"), (3.0, "3"), (2.5, "2.5"), (2**70, str(2**70)), (True, "true"),
    (None, None), ({"b": [1]}, '{"b":[1]}'), ([], "[]"), ("\u2028\"", "\u2028\""),
]  # fmt: skip


def test_an_expression_sees_of_a_pair_what_goes_with_it_to_the_subset(ledger: Ledger) -> None:
    """Kind: a column of the user's own rows that an expression reads otherwise than the subset has it, or not at all:
    of the row that lists the pair, either way round, else what both responses have in common; whatever its type or
    its name."""
    written = traces(ledger)
    pairs = pair(world.pairing(within_generator=True), written)
    listed = world.rows_of(LISTED_PAIRS, ROWS[:5][::-1])
    view = from_frames(pairs, responses=RESPONSE_ROWS, listed_pairs=listed)
    seen = view.values({"n": "carried.n::int", "row": "carried.row = 'plus'", "dotted": 'carried."a.b"'})
    texts = subset.from_frames(written, PROMPT_ROWS, RESPONSE_ROWS, listed)
    went = own_rows.add_own_columns(view.readers.pairs(["pair_id", *own_rows.TRACE_IDS]), texts)["carried"]
    told = [json.loads(row) if row else {} for row in went]
    assert seen["n"].to_list() == [row.get("n") for row in told] and set(seen["n"]) >= {1, 2, 4, None}
    assert seen["row"].to_list() == [row["row"] == "plus" if "row" in row else None for row in told]
    assert True in seen["row"] and not seen["dotted"].count()


@pytest.mark.parametrize(("value", "text"), CARRIED)
def test_what_is_carried_is_text(value: Any, text: str | None) -> None:
    rows = pl.Series([json.dumps({"a.b": value}), None, '{"c": 1}'])
    assert read_carried(rows, "a.b").to_list() == [text, None, None]


SELECTED: list[tuple[str, list[str]]] = [
    ("carried.lang = 'en'", []),
    ("carried.turns::int > 2 and coalesce(carried.lang, '') <> 'de'", []),
    ('carried."meta.x" = \'en\'', []),
    ("carried.turns > 2",
     ["'carried.turns > 2': Binder Error: Cannot compare values of type VARCHAR and type INTEGER_LITERAL - an explicit "
      "cast is required; what is carried is text: write carried.turns::double"]),
    ('"carried"."meta.x" - 1 > 2',
     ["'\"carried\".\"meta.x\" - 1 > 2': Binder Error: No function matches the given name and argument types "
      "'-(VARCHAR, INTEGER_LITERAL)'. You might need to add explicit type casts.; what is carried is text: write "
      'carried."meta.x"::double']),
    ("carried.meta.x = 'en'", ["'carried.meta.x' has a dot in the name of the column; write carried.\"meta.x\""]),
    ("carried.lagn = 'en'", ["'carried.lagn' is not a column; did you mean 'carried.lang'?"]),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "said"), SELECTED)
@pytest.mark.parametrize("of_traces", [False, True])
def test_expressions_name_what_sources_carry(expression: str, said: list[str], of_traces: bool, tmp_path: Path) -> None:
    """Of pairs, and of single traces."""
    required: dict[str, Any] = {"require": {"mine": expression}}
    place = "unpaired.require.mine" if of_traces else "require.mine"
    changes: dict[str, Any] = {
        "sources.uf.columns": {"prompt": "q", "carried": ["lang", "turns", "meta.x"]},
        "selections": {"s": world.PLAIN | ({"unpaired": {"label": "true"} | required} if of_traces else required)},
        "grid.selections": ["s"], "contrasts": {}, "compare.primary": None,
    }  # fmt: skip
    found = [line for line in studied(tmp_path, changes) if line.startswith("selections.")]
    assert found == [f"selections.s.{place}: {line}" for line in said]


def studied(tmp_path: Path, changes: dict[str, Any]) -> list[str]:
    """What the check says of a params file with a preference set of which `changes` are made, by place."""
    layout = {
        "kind": "responses",
        "text": "t",
        "model": "m",
        "ratings": {"helpful": "h", "brief": "b"},
        "order_by": "helpful",
    }
    uf = {
        "kind": "pairs",
        "split": "train",
        "path": "data/import/uf.jsonl",
        "layout": layout,
        "columns": {"prompt": "q"},
    }
    listed = {"kind": "listed", "source": SET}
    raw = deepcopy(world.settings())
    raw["sources"] |= {SET: uf}
    raw["generators"] |= {SET: {**listed, "family": None, "scale_b": None}}
    raw["judges"] |= {"people": {**listed, "scale": {"helpful": [1.0, 5.0]}}}
    raw["pairwise_judges"] |= {"labels": listed}
    raw["pair"] |= {"order": "listed", "ladder": [], "samples": "all"}
    for place, value in changes.items():
        *names, last = place.split(".")
        body = raw
        for name in names:
            body = body[name]
        body[last] = value
        if value is GONE:
            del body[last]
    (tmp_path / "data/import").mkdir(parents=True, exist_ok=True)
    (tmp_path / "data/import/uf.jsonl").touch()
    flow.write(raw, tmp_path / "params.yaml")
    try:
        read(tmp_path / "params.yaml")
    except CurationError as error:
        return [line.removeprefix(f"{tmp_path / 'params.yaml'}: ") for line in str(error).splitlines()]
    return []


GONE = object()
AGAIN = {"kind": "listed", "source": SET, "family": None, "scale_b": None}
MISTAKES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"generators.uf": GONE},
     ["sources.uf: no generator reads its responses; add generators.uf: {kind: listed, source: uf, family: null, "
      "scale_b: null}"]),
    ({"generators.again": AGAIN}, ["generators.again.source: uf reads 'uf' already; one of them is enough"]),
    ({"judges.people.source": "fu"},
     ["judges.people.source: 'fu' is not in sources; known: sums, held_sums, letters, uf"]),
    ({"pairwise_judges.labels.source": "sums", "judges.people.source": "sums"},
     [f"{place}.source: 'sums' is of kind reasoning_gym, and no preference set; name a source of kind pairs"
      for place in ("judges.people", "pairwise_judges.labels")]),
    ({"judges.people.scale": {"helpfull": [1.0, 5.0], "brief": [2.0, 2.0]}},
     ["judges.people.scale.helpfull: is no rating of sources.uf.layout; did you mean 'helpful'?",
      "judges.people.scale.brief: lowest 2 is not below highest 2"]),
    ({"sources.uf.layout.ratings": None, "sources.uf.layout.order_by": None, "pair.order": "both",
      "pairwise_judges.labels": GONE},
     ["judges.people.scale.helpful: is no rating of sources.uf.layout; it declares no ratings"]),
    ({"sources.uf.layout.order_by": None},
     ["pair.order: listed: the layout of sources.uf lists no pairs; say in it what orders its responses",
      "pairwise_judges.labels.source: the layout of sources.uf lists no pairs, so it has no verdict"]),
    ({"sources.uf": GONE, "generators.uf": GONE, "judges.people": GONE, "pairwise_judges.labels": GONE},
     ["pair.order: listed: no source is of kind pairs, which would list pairs; add one, or take another order"]),
    ({"pair.ladder": ["gpt", "llama"], "pair.samples": "matched"},
     ["pair.ladder: has no meaning where pairs are listed, each in its own order; write []",
      "pair.samples: matched: the numbers of two responses say nothing of a listed pair; write all"]),
    ({"pair.within_generator": False}, []),
    ({"pair.within_generator": False, "sources.uf.layout.model": None},
     ["pair.within_generator: false: the layout of sources.uf names no model, so that its pairs are all of one "
      "generator; write true"]),
    ({"pair.chosen": ["anyone"], "pair.order": "ladder", "pair.ladder": ["gpt", "llama"]}, []),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "said"), MISTAKES)
def test_mistakes_about_preference_sets(changes: dict[str, Any], said: list[str], tmp_path: Path) -> None:
    assert sorted(studied(tmp_path, changes)) == sorted(said)
