"""`curation why`: what an id names, what is said of it, and that every number is that of the tables.

Kinds of fault: an id of a table that nothing is found by; a verdict that is not the table's; a table that is not there
yet; a text that a terminal or a browser acts on; a call that is not the one that was made."""

import json
import os
import re
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import flow
import polars as pl
import pytest
import world
from conftest import Serve, fast
from hostile import ALL, TEXTS, hostile_world
from served import Done, answering, ran, rebuilt, served_params

from curation.core.errors import CurationError
from curation.core.params import read
from curation.explore.explain import explain
from curation.explore.find import find
from curation.explore.lines import LETTERS, LINES, barred
from curation.explore.origins import find_lines
from curation.explore.tables import Tables
from curation.explore.verdicts import Verdicts
from curation.pairs import pair
from curation.selection.labelled import Labelled, label_traces
from curation.selection.single_traces import SingleTraces
from curation.tables import contracts, parquet


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sound world."""
    return world.write(world.sound(), tmp_path_factory.mktemp("why")).parent


def why(folder: Path, *arguments: str) -> Done:
    return ran(folder, "curation", "why", *arguments)


def found(folder: Path, monkeypatch: pytest.MonkeyPatch, asked: object) -> dict[str, Any]:
    """What is explained of the only one that `asked` names."""
    monkeypatch.chdir(folder)
    tables = Tables(read())
    (hit,) = find(tables, str(asked))
    return explain(tables, hit)


def ids() -> list[tuple[str, str, object]]:
    """An id of each column that has some, the kind of what it names, and its id."""
    made = world.sound()
    first = made.pairs.filter(~pl.col("identical")).row(0, named=True)
    trace = made.traces.filter(pl.col("text_id").is_unique()).drop_nulls("text_id").row(0, named=True)
    run = made.runs.row(0, named=True)
    asked = made.results.row(0, named=True)["prompt_id"]
    return [
        ("pair", str(first["pair_id"]), first["pair_id"]), ("pair", str(first["pair_id"])[:12], first["pair_id"]),
        ("trace", str(first["chosen_trace_id"]), first["chosen_trace_id"]),
        ("prompt", str(first["prompt_id"]), first["prompt_id"]), ("prompt", str(asked), asked),
        ("trace", str(trace["text_id"]), trace["trace_id"]), ("run", run["run"], run["run"]),
        ("run", "baseline", "baseline"),
    ]  # fmt: skip


@pytest.mark.parametrize(("kind", "asked", "number"), ids(), ids=lambda value: str(value)[:9])
def test_an_id_of_any_table_is_found(
    sound: Path, monkeypatch: pytest.MonkeyPatch, kind: str, asked: str, number: object
) -> None:
    said = found(sound, monkeypatch, asked)
    assert (said["kind"], said["id"]) == (kind, number)
    assert why(sound, asked).stdout.count("\n") > 5


def test_what_names_several_lists_them_and_what_names_none_says_so(sound: Path) -> None:
    several = why(sound, "What is")
    assert several.returncode == 1 and several.stdout == ""
    assert len(re.findall(r"^error: prompt \d+  prompts.messages: What is ", several.stderr, re.MULTILINE)) > 1
    for asked in ("1234567890123", "12345678", "no such text", "\x1b[2J", "9" * 19, "9" * 23, "-5"):
        none = why(sound, "--", asked)
        assert none.returncode == 1 and "is no id of a table, and no text has it" in none.stderr
        assert "\x1b" not in none.stderr
    assert "names nothing" in why(sound, " ").stderr
    assert why(sound, os.fsdecode(b"caf\xe9")).stderr == "error: why: 'caf\\udce9' is not UTF-8 text\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028", "\x0b"])
@pytest.mark.parametrize("last", [False, True])
def test_how_much_more_there_is_of_a_text_is_so_whatever_ends_its_lines(end: str, last: bool) -> None:
    """The kind of fault: lines that are split at every kind of end, and counted at one of them."""
    text = end.join(map(str, range(LINES))) + end * last
    assert list(barred(text, False)) == [f"  │ {number}" for number in range(LINES)]
    assert list(barred(f"{text}{'' if last else end}more{end}and", False))[LINES:] == [
        "  … 2 more lines; --full shows all"
    ]
    assert list(barred("x" * LETTERS + "yz" + end * last, False))[1:] == ["  … 2 more letters; --full shows all"]


TEXT = "na\u00efve caf\u00e9 (a|b)*? \\d+ 50%\r\nsecond line \U0001f600"


@pytest.mark.parametrize(
    ("asked", "there"),
    [("caf\u00e9 (a|b)*? \\d+ 50%", True), ("nai\u0308ve cafe\u0301", True), ("50%\nsecond", True),
     ("50%\r\nsecond", True),
     ("\U0001f600", True), (".*", False), ("second\\sline", False), ("CAF\u00c9", False), ("\u200b", False)],
)  # fmt: skip
def test_a_piece_of_a_text_is_found_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, there: bool
) -> None:
    """Kinds of fault: a piece that is taken for a pattern; one that another keyboard writes in another normal form."""
    world.write(world.sound(), tmp_path)
    monkeypatch.chdir(tmp_path)
    file = contracts.path("traces", "large")
    rows = pl.read_parquet(file)
    rows.with_columns(
        completion=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(TEXT)).otherwise("completion")
    ).write_parquet(file)
    if not there:
        with pytest.raises(CurationError, match="no text has it"):
            find(Tables(read()), asked)
        return
    (hit,) = find(Tables(read()), asked)
    assert hit.id == rows["trace_id"][0] and hit.where.startswith("traces.completion: ")


def test_every_verdict_is_that_of_the_table(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sound)
    verdicts = Verdicts(Tables(read()))
    table = {(row["pair_id"], row["selection"]): row for row in world.sound().selections.to_dicts()}
    for number in world.sound().pairs["pair_id"]:
        for row in verdicts.of_pair(number):
            if "budget" not in row:
                own = table[number, row["selection"]]
                assert row["reason"] == own["reason"] and not row["stale"] and row["words"]
                assert row["numbers"].get("margin", own["margin"]) == own["margin"]


def test_a_requirement_called_as_its_selection_is_told_from_it(tmp_path: Path) -> None:
    """Kind of fault: a name of the user's own that reads as one of ours, or as another of theirs."""
    file, params = world.write(world.sound(), tmp_path), world.settings()
    params["selections"]["all"]["require"] = {"all": "chosen.characters < 0"}
    flow.write(params, file)
    rows = pl.read_parquet(contracts.path("selections", "all", tmp_path / "data"))
    rows = rows.with_columns(
        reason=pl.when(reason="identical").then("reason").otherwise(pl.lit("all")), kept=False, margin=None
    )
    parquet.write(contracts.SELECTIONS, rows.cast(rows.schema | {"margin": pl.Float64}),
                  contracts.path("selections", "all", tmp_path / "data"))  # fmt: skip
    number = str(rows.filter(reason="all")["pair_id"][0])
    done = why(tmp_path, number)
    assert re.search(r"\n  all: does not meet all .*\n    not true: chosen.characters < 0, where", done.stdout)
    (told,) = [row for row in json.loads(why(tmp_path, number, "--json").stdout)["selections"]
               if row["selection"] == "all" and "budget" not in row]  # fmt: skip
    assert told["reason"] == "all"  # as the table has it
    assert why(tmp_path, number, "--html", "page.html").returncode == 0
    assert "<td>does not meet all</td>" in (tmp_path / "page.html").read_text()


def test_a_selection_that_was_edited_since_is_said_to_be_stale(tmp_path: Path) -> None:
    file, params = world.write(world.sound(), tmp_path), world.settings()
    table = world.sound().selections.filter(selection="all", reason="kept")
    params["selections"]["all"]["budget"] = {"pairs": 0}
    flow.write(params, file)
    done = why(tmp_path, str(table["pair_id"][0]))
    assert re.search(r"all: kept .*\n    rank \d+ of \d+, budget 0", done.stdout)
    assert "these numbers give another verdict: its table was made by other settings; run `dvc repro`" in done.stdout


def test_tables_that_are_not_there_yet_are_named(tmp_path: Path) -> None:
    world.write(world.sound(), tmp_path)
    for name in ("judgments", "preferences", "deltas", "pair_scores", "selections", "arms", "results"):
        for file in (tmp_path / "data" / name).rglob("*.parquet"):
            file.unlink()
    for name in ("renderings", "generator_deltas", "probabilities", "examples", "runs", "decontamination"):
        (tmp_path / f"data/{name}.parquet").unlink()
    number = world.sound().pairs["pair_id"][0]
    done = why(tmp_path, str(number))
    assert done.returncode == 0 and "there is no table of it yet; `dvc repro select@all` makes it" in done.stdout
    last = re.search(r"not there yet: (.*)", done.stdout)
    assert last is not None and {"renderings", "judgments/rubric", "deltas/answer"} <= set(last[1].split(", "))
    (tmp_path / "data/pairs.parquet").write_bytes(b"PAR1 damaged")
    broken = why(tmp_path, str(number))
    assert broken.returncode == 1 and "pairs.parquet: cannot be read" in broken.stderr


@pytest.mark.parametrize("text", fast([ALL, "x" * 300_000, *TEXTS.values()], 2), ids=lambda text: repr(text)[:12])
def test_a_hostile_text_acts_on_nothing(tmp_path: Path, text: str) -> None:
    world.write(hostile_world(text), tmp_path)
    asked = str(world.sound().pairs["pair_id"][0])
    said, page = why(tmp_path, asked), why(tmp_path, asked, "--html", "page.html")
    assert said.returncode == page.returncode == 0
    body = (tmp_path / "page.html").read_text()
    for shown in (said.stdout, body):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", shown)
    assert not re.search(r"<script|<svg|<img|\son\w+=\"|javascript:[^<]*\">", body)
    assert "default-src 'none'" in body and max(map(len, said.stdout.splitlines())) < 3000
    whole = why(tmp_path, asked, "--json").stdout
    assert json.loads(whole)["chosen"]["reasoning"] == text and json.loads(whole)["pair_id"] == asked


def test_what_the_grid_cuts_and_what_is_labelled_have_verdicts_too(tmp_path: Path) -> None:
    file, params = world.write(world.sound(), tmp_path), world.settings()
    params["grid"]["budgets"], params["contrasts"], params["compare"] = ["own", 1], {}, {"primary": None}
    params["selections"]["thumbs"] = world.PLAIN | {
        "budget": {"pairs": 0}, "unpaired": {"label": "answer.correct = 1", "budget": {"traces": 2}},
    }  # fmt: skip
    flow.write(params, file)
    not_made = why(tmp_path, str(world.sound().traces["trace_id"][0])).stdout
    assert "there is no table of it yet; `dvc repro select@thumbs` makes it" in not_made
    labelled = label_thumbs(file)
    kept = world.sound().selections.filter(selection="clear", reason="kept")["pair_id"]
    cut = [re.search(r"clear \(any, budget 1\): (.*)\n    (.*)", why(tmp_path, str(number)).stdout) for number in kept]
    said = sorted(found.groups() for found in cut if found is not None)
    assert [reason for reason, _ in said] == ["kept", *["over_budget"] * (len(kept) - 1)]
    assert said[0][1].startswith("rank 1 of 3, budget 1; margin ")
    for trace in labelled.traces.rows["trace_id"]:
        said_of = re.search(r"thumbs: (\w+) .*\n    (.*)", why(tmp_path, str(trace)).stdout)
        assert said_of is not None and (said_of[1] == "kept") == (trace in labelled.own["trace_id"])
        if "rank" in said_of[2]:
            assert re.fullmatch(r"(un)?desirable, rank \d of \d by draw, room for 2", said_of[2])


def test_what_is_said_of_an_arm_is_what_its_table_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every way in which the grid cuts a selection, and of every control beside it. Kinds of fault: a cut that is
    counted among other rows than the arm's; a control that is said to have what it has not."""
    file, params = world.write(world.sound(), tmp_path), world.settings()
    params["generator_pairs"]["large_first"] = {"where": "chosen_model = 'large'"}
    params["controls"]["other"] = {"pairs": "drawn", "match": ["chosen_model"], "labels": "shuffled"}
    params["controls"]["rest"] = {"pairs": "all", "match": [], "labels": "as_is", "updates": "by_epochs"}
    params["grid"] |= {"budgets": ["own", 2], "generator_pairs": ["any", "large_first"]}
    params["grid"]["controls"] = ["itself", "reversed", "other", "rest"]
    params |= {"contrasts": {}, "compare": {"primary": None}}
    flow.write(params, file)
    done = ran(tmp_path, "stages.arms")
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(tmp_path)
    study = read()
    verdicts, arms = Verdicts(Tables(study)), study.arms.values()
    held = {arm.name: set(pl.read_parquet(contracts.arm_path("subsets", arm.name))["pair_id"]) for arm in arms}
    own = {arm[:3]: arm.name for arm in arms if arm.control == "itself"}
    assert len(own) == 4 and len(held) == 16 and len(set(map(frozenset, held.values()))) > 4
    looked_at = set[tuple[str, ...]]()
    for number in world.sound().pairs["pair_id"]:
        for row in verdicts.of_pair(number):
            cut = row["selection"], row.get("generator_pairs", "any"), row.get("budget", "own")
            if cut in own:
                looked_at.add(cut)
                assert (row["reason"] == "kept") == (number in held[own[cut]]) and not row["stale"]
            for control in row["controls"]:
                assert control["has_it"] == (number in held[control["arm"]]) and not control["stale"]
    assert looked_at == set(own)


def label_thumbs(file: Path) -> Labelled:
    """What the selection thumbs labels, which is then in its table."""
    study = read(file)
    single = SingleTraces(world.trace_readers(world.sound()), "drop", True)
    labelled = label_traces("thumbs", study.selections["thumbs"], single)
    assert labelled is not None
    path = contracts.path("unpaired", "thumbs", file.parent / "data")
    labelled.own.write_parquet(path)
    return labelled


def test_labels_that_are_of_other_settings_are_said_to_be_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kinds of fault: a trace taken that its table has not; one left out that it has; one under the other label."""
    file, params = world.write(world.sound(), tmp_path), world.settings()
    unpaired = {"label": "answer.correct = 1", "budget": {"traces": 2}}
    params["selections"]["thumbs"] = world.PLAIN | {"budget": {"pairs": 0}, "unpaired": unpaired}
    flow.write(params, file)
    taken = set(label_thumbs(file).own["trace_id"])
    monkeypatch.chdir(tmp_path)

    def stale() -> set[int]:
        verdicts = Verdicts(Tables(read()))
        told = {trace: verdicts.of_trace(trace)[0] for trace in world.sound().traces["trace_id"]}
        return {trace for trace, row in told.items() if row.get("stale")}

    assert stale() == set()
    unpaired["budget"] = {"traces": 1}
    flow.write(params, file)
    assert len(stale()) == 1 and stale() < taken
    unpaired |= {"budget": {"traces": 2}, "label": "answer.correct = 0"}
    flow.write(params, file)
    assert stale() == taken


def test_the_calls_are_those_that_were_made(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served_params(tmp_path, serve(answering).url, prompts=3)
    rebuilt(tmp_path)
    monkeypatch.chdir(tmp_path)
    study = read()
    traces = pl.read_parquet("data/traces/writer.parquet")
    contracts.path("pairs").parent.mkdir(exist_ok=True)
    pairs = pair.pair(study.pair, traces)
    parquet.write(contracts.PAIRS, pairs, contracts.path("pairs"))
    with sqlite3.connect(study.ledger.file) as ledger:
        kept = dict(ledger.execute("SELECT key, text FROM calls").fetchall())
    for row in traces.to_dicts():
        said = found(tmp_path, monkeypatch, row["trace_id"])
        assert kept[said["call"]["key"]] == said["call"]["reply"]["text"] == row["completion"]
        (judge,) = said["judges"]
        (call,) = judge["calls"]
        assert kept[call["key"]] == call["reply"]["text"]
        scores = {name: rated["repeats"][0]["score"] for name, rated in judge["dimensions"].items()}
        assert json.loads(call["reply"]["text"]) == scores
        assert said["origin"]["params"]["judges.rubric"].startswith("params.yaml:")
    of_pair = why(tmp_path, str(pairs["pair_id"][0])).stdout
    assert of_pair.count("no reply in the ledger") == 0 and "judges/rubric" not in of_pair


def test_the_lines_are_those_of_the_keys(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = "x-a: &a {value: 1}\nsections:\n  one: {<<: *a}\n  two:\n    <<: *a\n    own: 3\n"
    file = sound / "lines.yaml"
    file.write_text(params)
    wanted = ["sections", "sections.one", "sections.two", "sections.two.own", "sections.two.value", "none.there"]
    lines = {place: int(line.rpartition(":")[2]) for place, line in find_lines(file, wanted).items()}
    assert lines == {
        "sections": 2, "sections.one": 3, "sections.two": 4, "sections.two.own": 6, "sections.two.value": 1,
    }  # fmt: skip


def test_near_siblings_are_told_from_identical_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = world.sound()
    first = made.traces.drop_nulls("completion").filter(pl.len().over("prompt_id") > 2)["prompt_id"][0]
    long = "one two three four five six seven eight nine ten eleven twelve"
    said = pl.Series([long, f"{long} more", "something else"])
    rows = made.traces.filter(prompt_id=first).head(3)
    changed = rows.with_columns(completion=said, completion_characters=said.str.len_chars().cast(pl.Int32),
                                characters=said.str.len_chars().cast(pl.Int32), text_id=pl.col("trace_id"),
                                status=pl.lit("complete"), finish_reason=pl.lit("stop"))  # fmt: skip
    others = made.traces.join(changed, on="trace_id", how="anti").filter(prompt_id=first)
    nothing = dict.fromkeys(("completion", "text_id", "characters", "completion_characters"), pl.lit(None))
    others = others.with_columns(**nothing, finish_reason=pl.lit("error"), status=pl.lit("failed"))
    rest = made.traces.filter(pl.col("prompt_id") != first)
    world.write(replace(made, traces=pl.concat([changed, others, rest], how="vertical_relaxed")), tmp_path)
    said_of = found(tmp_path, monkeypatch, changed["trace_id"][0])["siblings"]
    assert [(row["trace_id"], row["identical"]) for row in said_of] == [(changed["trace_id"][1], False)]
    assert 0.8 <= said_of[0]["similarity"] < 1


def test_a_file_that_cannot_be_written_is_a_line(sound: Path) -> None:
    done = why(sound, str(world.sound().pairs["pair_id"][0]), "--html", "data")
    assert done.returncode == 1 and "--html data: is a folder; name a file" in done.stderr


def test_the_options_of_the_page_are_those_there_are(sound: Path) -> None:
    page = (Path(__file__).parents[1] / "docs/why.md").read_text()
    there = set(re.findall(r"^  (--[a-z]+)", why(sound, "--help").stdout, re.MULTILINE))
    assert set(re.findall(r"^\| `(--[a-z]+)", page, re.MULTILINE)) == there
