"""The file of labels. Kinds of fault: a label that is lost, or saved by half, where a process is killed, the disk is
full or two write at once; one that is read as another's, or as an older one; a file that is not one of labels and is
written to all the same."""

import json
import math
import multiprocessing
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import to_label
import world
from ruamel.yaml import YAML
from served import ran

from curation.core.errors import CurationError
from curation.core.params import read
from curation.explore.labels.budget import measure_agreements
from curation.explore.labels.gold import GOLD, Gold
from curation.explore.labels.sampling import list_pairs
from curation.explore.labels.session import Session
from curation.explore.labels.snippet import write_snippet
from curation.explore.labels.work import find_next, last_done, make_row

TRACES: dict[str, dict[str, Any]] = {
    side: {"trace_id": number, "reasoning": None, "completion": side}
    for number, side in enumerate(("chosen", "rejected"))
}


def row(pair_id: int = 1, answer: str = "tie", labeller: str = "ann", **scores: dict[str, float]) -> dict[str, Any]:
    session = Session(labeller)
    of_sides: dict[str, dict[str, float]] = {"chosen": {}, "rejected": {}} | scores
    return make_row(session, None, {"pair_id": pair_id}, TRACES, answer, of_sides)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data/import/gold.jsonl"


def test_rows_are_only_appended_and_the_last_of_each_labeller_counts(path: Path) -> None:
    gold = Gold(path)
    bodies = [b""]
    for labeller, pair_id, answer in (("ann", 1, "tie"), ("bo", 1, "skip"), ("ann", 2, "both_bad"), ("ann", 1, "undo")):
        gold.append(labeller, row(pair_id, answer, chosen={"logic": float(pair_id)}))
        bodies.append(path.read_bytes())
        assert bodies[-1].startswith(bodies[-2]) and bodies[-1].count(b"\n") == len(bodies) - 1
    for again in (gold, Gold(path)):
        assert [(one.pair_id, one.verdict or one.action) for one in again.of("ann").values()] == [
            (2, "both_bad"),
            (1, "undo"),
        ]
        assert [(one.pair_id, one.action) for one in again.of("bo").values()] == [(1, "skip")]
        assert again.scores("ann", 0) == {"logic": 1.0} and again.scores("cy", 0) == {}


def test_a_later_row_has_a_later_time_whatever_the_clock_says(path: Path) -> None:
    gold = Gold(path)
    gold.append("ann", row() | {"labelled": "2999-01-01T00:00:00.000000Z"})
    gold.append("ann", row(answer="both_bad"))
    assert gold.of("ann")[1].labelled == "2999-01-01T00:00:00.000001Z"


@pytest.mark.parametrize("cut", [1, 20, -1])
def test_a_line_that_was_cut_off_breaks_nothing_and_is_told(
    cut: int, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As by a machine that lost its power: at any byte, even where only the end of the line is not there."""
    gold = Gold(path)
    gold.append("ann", row(1))
    whole = path.read_bytes()
    gold.append("ann", row(2))
    path.write_bytes(path.read_bytes()[: len(whole) + cut] if cut > 0 else path.read_bytes()[:-1])
    again = Gold(path)
    assert list(again.of("ann")) == ([1] if cut > 0 else [1, 2])
    assert (f"its last line was cut off as it was written; {cut} byte" in capsys.readouterr().err) == (cut > 0)
    again.append("ann", row(3))
    assert [int(json.loads(line)["pair_id"]) for line in path.read_text().splitlines()] == [
        *([1] if cut > 0 else [1, 2]),
        3,
    ]


def test_a_full_disk_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gold = Gold(path)
    gold.append("ann", row(1))
    before, left, write = path.read_bytes(), [10], os.write

    def fill(file: int, body: bytes) -> int:
        if not left:
            raise OSError(28, "No space left on device")
        return write(file, body[: left.pop()])

    monkeypatch.setattr(os, "write", fill)
    with pytest.raises(CurationError, match=r"gold.jsonl: cannot be written: No space left on device"):
        gold.append("ann", row(2))
    monkeypatch.undo()
    assert path.read_bytes() == before and list(Gold(path).of("ann")) == [1]


def _label_many(path: Path, labeller: str) -> None:
    gold = Gold(path)
    for pair_id in range(40):
        gold.append(labeller, row(pair_id, labeller=labeller))


def test_two_views_may_label_at_once(path: Path) -> None:
    """Each sees the other's rows, and none is within another."""
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_label_many, args=(path, name)) for name in ("ann", "bo")]
    for worker in workers:
        worker.start()
    here = Gold(path)
    _label_many(path, "cy")
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    here.refresh()
    assert {name: list(own) for name, own in here.labels.items()} == {
        name: list(range(40)) for name in ("ann", "bo", "cy")
    }


@pytest.mark.parametrize("line", ["{}", "[1]", '{"pair_id": 1', '{"pair_id": "x"}', "\xff", '{"id": 1, "score": 2}'])
def test_a_file_of_something_else_is_named_and_left_alone(line: str, path: Path) -> None:
    path.parent.mkdir(parents=True)
    gold = Gold(path)
    gold.append("ann", row())
    body = path.read_bytes() + line.encode("latin-1") + b"\n"
    path.write_bytes(body)
    with pytest.raises(CurationError, match=r"gold.jsonl: line 2 is no label of `curation view`; move"):
        Gold(path)
    with pytest.raises(CurationError, match="line 2 is no label"):
        gold.append("ann", row(2))
    assert path.read_bytes() == body


ODD: list[dict[str, Any]] = [
    {"sample": "random"}, {"sample": {}}, {"order": "left"}, {"labelled": "yesterday"}, {"labelled": "2026-01-01"},
    {"verdict": None}, {"action": "skip"}, {"action": []}, {"labeller": 5}, {"chosen": None}, {"pair_id": "9" * 5000},
    *({"chosen": {"trace_id": "1", "scores": scores}} for scores in ([1], {"logic": "3"}, {"logic": math.nan}, None)),
]  # fmt: skip


@pytest.mark.parametrize("change", [*ODD, "[" * 100_000], ids=lambda change: str(change)[:40])
def test_a_row_that_was_edited_by_hand_is_named_each_time_until_it_is_mended(
    change: dict[str, Any] | str, path: Path
) -> None:
    """The kind of fault: a row that is taken in, and ends a page or the next label in a traceback; or is told once, and
    passed over from then on."""
    gold = Gold(path)
    gold.append("ann", row(1))
    sound = path.read_text()
    path.write_text(f"{sound}{json.dumps({**json.loads(sound), **change}) if isinstance(change, dict) else change}\n")
    for ask in (gold.refresh, gold.refresh, lambda: gold.append("ann", row(2)), lambda: Gold(path)):
        with pytest.raises(CurationError, match="line 2 is no label of `curation view`"):
            ask()
    path.write_text(sound)
    gold.append("ann", row(2))
    assert list(gold.of("ann")) == list(Gold(path).of("ann")) == [1, 2]


def test_a_file_that_was_taken_away_or_replaced_is_read_anew(path: Path) -> None:
    gold = Gold(path)
    gold.append("ann", row(1))
    path.rename(path.with_name("old.jsonl"))
    gold.refresh()
    assert not gold.labels
    other = Gold(path)
    other.append("bo", row(2))
    gold.refresh()
    assert list(gold.labels) == ["bo"]


def test_a_file_that_was_edited_in_place_is_read_anew(path: Path) -> None:
    """By its size alone it is one that rows were appended to, whose lines are counted from there, or unchanged."""
    gold = Gold(path)
    gold.append("ann", row(1))
    gold.append("bob", row(2))
    sound = path.read_bytes()
    path.write_bytes(sound.replace(b'"ann"', b'"eve"'))
    gold.refresh()
    assert list(gold.labels) == ["eve", "bob"]
    path.write_bytes(b"nonsense\n" + sound)
    for _ in range(2):
        with pytest.raises(CurationError, match="line 1 is no label"):
            gold.refresh()
    path.write_bytes(b"")
    gold.refresh()
    assert not gold.labels
    path.write_bytes(sound)
    gold.append("ann", row(3))
    assert {name: list(own) for name, own in gold.labels.items()} == {"ann": [1, 3], "bob": [2]}


def test_what_comes_next_and_what_is_taken_back(path: Path) -> None:
    """A pair of another sample comes again in a random one, which would lack what is known of it; not the other way."""
    import numpy as np

    gold, listed = Gold(path), np.array([5, 6, 7])
    session = Session("ann")
    gold.append("ann", row(5) | {"sample": {"kind": "cut"}})
    assert find_next(gold, session._replace(sample="cut", selection="x"), listed) == 6
    assert find_next(gold, session, listed) == 5
    assert make_row(session, gold.of("ann")[5], {"pair_id": 5}, TRACES, "tie", {"chosen": {}, "rejected": {}})[
        "sample"
    ] == {"kind": "random", "seed": 0}
    for pair_id, answer in ((5, "left"), (6, "skip"), (7, "right")):
        gold.append("ann", row(pair_id, answer))
    assert find_next(gold, session, listed) is None
    assert find_next(gold, session._replace(skipped=True), listed) == 6
    for pair_id in (7, 6, 5):  # taken back one after the other, the latest first; the last one taken back comes first
        last = last_done(gold, session)
        assert last is not None and last.pair_id == pair_id
        gold.append("ann", row(pair_id, "undo"))
        assert find_next(gold, session, listed) == pair_id
    assert last_done(gold, session) is None


def test_the_agreement_of_two_is_of_what_both_said_at_random(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pairs = to_label.write(tmp_path)["pair_id"].to_list()
    gold = Gold()
    for number, pair_id in enumerate(pairs[:40]):
        gold.append("ann", row(pair_id, "tie"))
        gold.append("bo", row(pair_id, "both_bad" if number % 4 else "skip") if number % 10 else row(pair_id, "left"))
        gold.append("cy", row(pair_id, "tie") | {"sample": {"kind": "cut"}})
    (found,) = measure_agreements(gold, 0.1)
    assert found.labellers == ("ann", "bo") and found.share is not None and found.wanted is not None
    said = sum(number % 10 == 0 or number % 4 > 0 for number in range(40))
    assert found.pairs == said and found.share.mean == pytest.approx((said - 4) / said)


def test_a_sample_is_near_the_cut_or_where_judges_disagree_and_the_same_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held to the tables, row by row."""
    world.write(world.sound(), tmp_path)
    monkeypatch.chdir(tmp_path)
    study, made = read(tmp_path / "params.yaml"), world.sound()
    pairs = made.pairs.filter(~pl.col("identical"))
    listed = list_pairs(study, Session("ann"))
    mine = pairs.filter(pl.col("pair_id").is_in(listed.tolist()))
    texts = pl.coalesce("same_texts_as", "pair_id")
    assert mine.height == len(listed) == mine.select(texts).n_unique() and mine.select(texts).n_unique() > 3
    assert listed.tolist() == list_pairs(study, Session("bo")).tolist()
    assert listed.tolist() != list_pairs(study, Session("ann", seed=1)).tolist()
    verdicts = made.selections.filter(pl.col("selection") == "clear", pl.col("reason").is_in(["kept", "over_budget"]))
    cut = Session("ann", sample="cut", selection="clear")
    if verdicts["reason"].n_unique() == 2:
        margin = dict(verdicts.select("pair_id", "margin").rows())
        last = verdicts.filter(pl.col("reason") == "kept")["margin"].min()
        far = [abs(margin[pair_id] - last) for pair_id in list_pairs(study, cut)]
        assert far == sorted(far) and len(far) == len(margin)
    with pytest.raises(CurationError, match="selection: all ranks by no value, so it has no cut; name another"):
        list_pairs(study, cut._replace(selection="all"))
    between = Session("ann", sample="disagree", judges=("answer.correct", "versus.preference"))
    deltas = made.deltas["answer"].join(made.deltas["versus"], on="pair_id")
    apart = deltas.filter(pl.col("delta_correct") * pl.col("delta_preference") < 0)["pair_id"]
    assert set(list_pairs(study, between)) == set(apart) & set(listed) and len(apart)
    only = Session("ann", where="chosen.generator = 'large'")
    assert set(list_pairs(study, only)) == set(pairs.filter(chosen_model="large")["pair_id"]) & set(listed)
    assert only.rule["kind"] == "filter"


def test_the_lines_that_the_docs_show_are_those_that_the_page_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    gold = Gold()
    for who in ("ann", "bo"):
        gold.append(who, row())
    printed = write_snippet(gold, read(world.write(world.sound(), tmp_path)))
    shown = (Path(__file__).parents[1] / "docs/labelling.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    of_bo = printed[printed.index("  person_bo:") : printed.index("reliability:")]
    assert shown == printed.replace(of_bo, "") and of_bo.replace("bo'", "ann'").replace("_bo:", "_ann:") in shown


@pytest.mark.parametrize("place", [GOLD, Path('a b/odd: "labels".jsonl')])
def test_new_says_which_lines_read_a_file_of_labels(place: Path, tmp_path: Path) -> None:
    """Nothing is written for labels alone; beside other files they are left out of the study that is drafted."""
    world.write(world.sound(), tmp_path)
    gold = Gold(tmp_path / place)
    for who in ("ann", "it's \x9b31m"):
        gold.append(who, row(chosen={"logic": 3.0}))
    with gold.path.open("a") as file:
        file.write('{"labeller": "half')
    before = gold.path.read_bytes()
    alone = ran(tmp_path, "curation", "new", str(place), "--out", "new.yaml")
    assert alone.returncode == 1 and "holds labels alone; these lines" in alone.stderr
    assert "2 labels of pairs, which `curation view` wrote for ann, it" in alone.stdout and "\x9b" not in alone.stdout
    assert not (tmp_path / "new.yaml").exists() and gold.path.read_bytes() == before
    told = YAML(typ="safe").load(alone.stdout.partition("\n")[2])
    assert {name: len(told[name]) for name in ("judges", "pairwise_judges")} == {"judges": 1, "pairwise_judges": 3}
    assert told["pairwise_judges"]["people"]["path"] == place.as_posix()
    answers = [{"prompt": f"What is {n} + 1?", "completion": f"It is {n + 1}, as I count."} for n in range(9)]
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(one) + "\n" for one in answers))
    both = ran(tmp_path, "curation", "new", str(place), "answers.jsonl", "--out", "new.yaml")
    assert both.returncode == 0 and "which `curation view` wrote" in both.stdout, both.stderr
    assert "sample.kind" not in (tmp_path / "new.yaml").read_text()
