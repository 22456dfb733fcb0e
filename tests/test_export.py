"""What `curation export` writes comes back as it was, and what a trainer would do to it without a word is said.

Kinds of fault: a pair, an id or a text that the way out and back changes; a row that is lost without a name; a folder
that is half written, or was no export and is gone; a mistake of the command line that is found late, or one at a time.
"""

import hashlib
import json
import shlex
from itertools import product
from pathlib import Path
from typing import Any

import exporting
import polars as pl
import pytest
import world
from exporting import CALLED, NAME, PLAIN, THOUGHT, answer, pair, read_set, said, save_study
from flow import write
from ruamel.yaml import YAML
from served import Done, ran
from test_ten_minutes import COMMAND, as_shown

from curation.core.kinds import formats
from curation.exchange import export
from curation.exchange.guessing import guess_file
from curation.tables import contracts, parquet
from curation.tables.ids import content_id
from curation.tables.prompt_identity import identities

PAGE = Path(__file__).parents[1] / "docs/export.md"
FORMATS = [name.replace("_", "-") for name in formats()]
PAIRS_ONLY = {"nemo-rl", "open-instruct", "openai", "openrlhf"}
WITH_TOOLS = {"trl", "unsloth", "llama-factory", "ms-swift", "openai"}
WITHOUT_KEYS = {"llama-factory", "ms-swift", "open-instruct", "openai"}  # of reasoning
QUICK = {("trl", "dpo", "reasoning_content"), ("llama-factory", "kto", "inline"), ("ms-swift", "dpo", "inline")}
COMBINED = [
    pytest.param(*way, id="-".join(way), marks=() if way in QUICK else pytest.mark.slow)
    for way in product(FORMATS, ("dpo", "kto"), ("inline", "reasoning_content"))
    if not (way[1] == "kto" and way[0] in PAIRS_ONLY) and not (way[2] == "reasoning_content" and way[0] in WITHOUT_KEYS)
    if way != ("axolotl", "kto", "reasoning_content")
]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with pairs of every sort."""
    folder = tmp_path_factory.mktemp("study")
    save_study(folder, PLAIN + THOUGHT + CALLED, reasoning="inline")
    return folder


def exported(folder: Path, to: str, *options: str, out: str = "out", name: str = NAME) -> Done:
    return ran(folder, "curation", "export", name, "--to", to, "--out", out, *options)


def seen(folder: Path) -> list[str]:
    """What lies in a folder, but for what the toolkit keeps for itself."""
    return sorted(file.name for file in folder.iterdir() if not file.name.startswith("."))


def manifest(folder: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((folder / export.MANIFEST).read_text())
    return said


def told(tables: dict[str, pl.DataFrame], ids: set[str] | None = None) -> dict[str, list[Any]]:
    """Prompts, responses and pairs of a set with their ids, of those rows whose own ids are among `ids`.
    Ids of tool calls are no part of what a prompt says, and some trainers have none."""
    pairs = tables["listed_pairs"].with_columns(
        pl.struct("chosen_trace_id", "rejected_trace_id").map_elements(
            lambda sides: str(content_id(*sides.values())), pl.String
        ).alias("pair_id")
    )  # fmt: skip
    pairs = pairs if ids is None else pairs.filter(pl.col("pair_id").is_in(ids))
    traces = pl.concat([pairs["chosen_trace_id"], pairs["rejected_trace_id"]])
    responses = tables["responses"].filter(pl.col("trace_id").is_in(traces.implode()))
    prompts = tables["prompts"].filter(pl.col("prompt_id").is_in(pairs["prompt_id"].implode()))
    return {
        "prompts": sorted(zip(prompts["prompt_id"], identities(prompts), strict=True)),
        "responses": sorted(responses.select("trace_id", "prompt_id", "reasoning", "completion").rows(), key=str),
        "pairs": sorted(pairs.select("pair_id", "prompt_id", "chosen_trace_id", "rejected_trace_id").rows(), key=str),
    }


@pytest.mark.parametrize(("to", "method", "way"), COMBINED)
def test_pairs_ids_and_texts_come_back_as_they_were(
    study: Path, tmp_path: Path, to: str, method: str, way: str
) -> None:
    """By the source that the manifest says. Pairs of single labelled answers are made anew, and are the same."""
    lost = comes_back(study, tmp_path / "out", to, method, way)
    assert (len(lost) > 0) == (to not in WITH_TOOLS)


ODD = [  # texts and ids that a reader may take for something else
    pair("1e5", [said("user", "a\x00b\x01\x7f\x85\u2029 c")], answer("x\x0by"), answer("z\x1c")),
    pair("007", [said("system", ""), said("user", "empty")], answer("  yes  \n"), answer("\n\nno\t")),
    pair("null", [said("user", "twice")], answer("1"), answer("2")),
    pair("9007199254740993", [said("user", "twice")], answer("1"), answer('{"a": 1}')),
    pair('a,b"c\n', [said("user", "say <think>x</think>")], answer("<think>\nx\n</think>\n\ny"), answer("</think> z")),
    pair("t", [said("user", "1"), said("assistant", ""), said("user", "2")], answer("5" * 9**5), answer("\ufeff6")),
]  # fmt: skip


@pytest.mark.parametrize("method", ["dpo", pytest.param("kto", marks=pytest.mark.slow)])
def test_odd_texts_and_ids_come_back_as_they_were(tmp_path: Path, method: str) -> None:
    """From every format; where nothing came with reasoning, what looks like a block of it is a part of the answer."""
    save_study(tmp_path, ODD, reasoning="inline")
    for to in FORMATS if method == "dpo" else [name for name in FORMATS if name not in PAIRS_ONLY]:
        assert comes_back(tmp_path, tmp_path / to, to, method, "inline") == []


def comes_back(study: Path, out: Path, to: str, method: str, way: str) -> list[str]:
    """Asserts that what is exported is read back as it was. Returns the ids of the rows left out."""
    done = exported(study, to, "--method", method, "--reasoning", way, out=str(out))
    assert done.returncode == 0, done.stderr
    (made,) = manifest(out)["sets"]
    lost = [row_id for ids in made["left_out"].values() for row_id in ids]
    assert made["rows_out"] + len(lost) == made["rows_in"]
    settings = {name: value for name, value in made["source"].items() if name not in ("kind", "split", "path")}
    back = read_set(out / made["source"]["path"], **settings).tables
    before = read_set(study / "set.jsonl", **exporting.SET).tables
    if method == "kto":
        assert responses_with_labels(back, lost) == responses_with_labels(before, lost)
        return lost
    pairs = pl.read_parquet(study / f"data/subsets/{NAME}.parquet")["pair_id"].cast(pl.String)
    assert told(back) == told(before, set(pairs) - set(lost))
    if to != "openai":  # its rows may have no key of ours
        assert set(back["listed_pairs"]["external_id"]) == set(pairs) - set(lost)
    return lost


@pytest.mark.slow
@pytest.mark.parametrize(
    ("to", "method"),
    [(to, method) for to, method in product(FORMATS, ("dpo", "kto")) if (method, to in PAIRS_ONLY) != ("kto", True)],
)
def test_new_finds_the_pairs_and_the_labels_of_every_format(study: Path, tmp_path: Path, to: str, method: str) -> None:
    """In the layout, and of labelled answers with the columns, that the manifest says."""
    assert exported(study, to, "--method", method, out=str(tmp_path / "out")).returncode == 0
    source = manifest(tmp_path / "out")["sets"][0]["source"]
    (guess,) = guess_file(str(tmp_path / "out" / source["path"]))
    assert guess.layout == source["layout"]
    if method == "kto":
        assert guess.columns == source["columns"]


def responses_with_labels(tables: dict[str, pl.DataFrame], lost: list[str]) -> list[Any]:
    """Each response with its texts and whether it is a chosen one."""
    rows = tables["responses"].filter(~pl.col("trace_id").cast(pl.String).is_in(lost))
    ratings = tables["ratings"]
    if ratings.is_empty():
        chosen = tables["listed_pairs"]["chosen_trace_id"].implode()
        rows = rows.with_columns(pl.col("trace_id").is_in(chosen).alias("good"))
    else:
        rows = rows.join(ratings.select("trace_id", good=pl.col("score") == 1), on="trace_id")
    return sorted(rows.select("trace_id", "prompt_id", "reasoning", "completion", "good").rows(), key=str)


def test_the_manifest_names_every_file_with_its_hash_and_the_same_rows_give_the_same_bytes(
    study: Path, tmp_path: Path
) -> None:
    for out in ("one", "two"):
        assert exported(study, "trl", out=str(tmp_path / out)).returncode == 0
    one, two = ({file.name: file.read_bytes() for file in (tmp_path / out).iterdir()} for out in ("one", "two"))
    assert one == two
    said = manifest(tmp_path / "one")
    assert {name: hashlib.sha256(body).hexdigest() for name, body in one.items() if name != export.MANIFEST} == {
        name: file["sha256"] for name, file in said["files"].items()
    }
    (made,) = said["sets"]
    assert (made["rows_in"], made["rows_out"], made["found"]) == (8, 8, {})


def test_parquet_is_written_only_where_it_says_the_same_as_the_lines(tmp_path: Path) -> None:
    """The kind of fault: a key of one message that a column puts on all of them, as null."""
    save_study(tmp_path, PLAIN)
    assert exported(tmp_path, "trl", "--method", "dpo", out="plain").returncode == 0
    rows = pl.read_parquet(tmp_path / f"plain/{NAME}.dpo.parquet").to_dicts()
    lines = [json.loads(line) for line in (tmp_path / f"plain/{NAME}.dpo.jsonl").read_text().split("\n")[:-1]]
    assert [{name: value for name, value in row.items() if value is not None} for row in rows] == lines
    save_study(tmp_path, PLAIN + THOUGHT, reasoning="reasoning_content")
    assert exported(tmp_path, "trl", "--method", "dpo", out="thought").returncode == 0
    assert not [*tmp_path.glob("thought/*.parquet")] and manifest(tmp_path / "thought")["sets"][0]["rows_out"] == 6


TRAPS = {
    "identical": ("trl", "drop", pair("x", [said("user", "7?")], answer("Yes.", "so"), answer("Yes.", "hence"))),
    "tools": ("openrlhf", "inline", CALLED[0]),
    "tool_calls": ("axolotl", "inline", pair("x", CALLED[1]["prompt"], answer("21"), answer("12"))),
    "earlier_reasoning": ("llama-factory", "inline", pair(
        "x", [said("user", "1?"), said("assistant", "2", reasoning_content="+ 1"), said("user", "3?")], answer("4"),
        answer("5"),
    )),
    "earlier_reasoning in a key": ("openai", None, pair(
        "x", [said("user", "1?"), said("assistant", "2", reasoning_content="+ 1"), said("user", "3?")], answer("4"),
        answer("5"),
    )),
    "turns": ("llama-factory", "inline", pair("x", [said("user", "1?"), said("user", "2?")], answer("4"), answer("5"))),
    "call_ids": ("openai", "inline", pair("x", [
        said("user", "1?"), said("assistant", "", tool_calls=[{"function": {"name": "f", "arguments": {}}}]),
        said("tool", "2"),
    ], answer("4"), answer("5"))),
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "tools" else pytest.mark.slow) for name in TRAPS]
)
def test_what_a_trainer_would_do_to_a_row_is_said_and_strict_writes_nothing(tmp_path: Path, name: str) -> None:
    to, way, row = TRAPS[name]
    save_study(tmp_path, [*PLAIN[:2], row])
    options = ("--method", "dpo", *(("--reasoning", way) if way else ()))
    name = name.split()[0]
    done = exported(tmp_path, to, *options)
    assert done.returncode == 0, done.stderr
    (made,) = manifest(tmp_path / "out")["sets"]
    (ids,) = (made["left_out"] | made["found"]).values()
    assert [*(made["left_out"] | made["found"])] == [name] and len(ids) == 1
    assert f"1 row (pair_id {ids[0]}): {name}: " in done.stderr
    strict = exported(tmp_path, to, *options, "--strict", out="strict")
    assert strict.returncode == 1 and f"error: {NAME} (dpo): " in strict.stderr and ids[0] in strict.stderr
    assert seen(tmp_path) == ["data", "out", "params.yaml", "set.jsonl"]


def test_reasoning_that_a_trainer_reads_in_pairs_and_not_in_labelled_answers_is_left_out_of_these(
    tmp_path: Path,
) -> None:
    save_study(tmp_path, [*PLAIN[:2], *THOUGHT])
    options = ("--reasoning", "reasoning_content", "--method")
    done = exported(tmp_path, "axolotl", *options, "kto")
    assert done.returncode == 0, done.stderr
    (made,) = manifest(tmp_path / "out")["sets"]
    unpaired = pl.read_parquet(tmp_path / f"data/unpaired/{NAME}.parquet")
    thought = unpaired.filter(pl.col("reasoning").is_not_null())["trace_id"].cast(pl.String).to_list()
    assert len(thought) == 3 and made["left_out"] == {"reasoning": thought} and made["rows_out"] == 5
    assert "3 rows (trace_id " in done.stderr and ": reasoning: the trainer's KTO writes role and" in done.stderr
    strict = exported(tmp_path, "axolotl", *options, "kto", "--strict", out="strict")
    assert strict.returncode == 1 and not (tmp_path / "strict").exists()
    assert exported(tmp_path, "axolotl", *options, "dpo", "--strict", out="strict").returncode == 0


def test_the_chat_template_that_a_study_names_goes_with_its_rows(tmp_path: Path) -> None:
    """Byte for byte, and the trainer is told of it."""
    text = "{# ours #}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    revision = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    save_study(tmp_path, PLAIN, chat_template="own.jinja", chat_template_revision=revision)
    (tmp_path / "own.jinja").write_text(text)
    assert exported(tmp_path, "trl", "--method", "dpo").returncode == 0
    assert (tmp_path / "out/chat_template.jinja").read_text() == text
    assert "chat_template.jinja" in manifest(tmp_path / "out")["files"]
    assert "must be that of chat_template.jinja" in (tmp_path / f"out/{NAME}.dpo.yaml").read_text()
    (tmp_path / "own.jinja").unlink()
    gone = exported(tmp_path, "trl", "--method", "dpo", out="gone")
    assert gone.returncode == 1 and "own.jinja" in gone.stderr and not (tmp_path / "gone").exists()


def test_what_no_source_gives_but_a_table_may_have_is_said(tmp_path: Path) -> None:
    """An answer of blanks, and labels that are all the same."""
    paired, unpaired = save_study(tmp_path, PLAIN)
    blank = [*paired["rejected"].to_list()[:-1], answer("  ")]
    paired = paired.with_columns(pl.Series("rejected", blank, paired.schema["rejected"]))
    for table, rows in ((contracts.SUBSETS, paired), (contracts.UNPAIRED, unpaired.filter("label"))):
        parquet.write(table, rows, contracts.path(table.name, NAME, tmp_path / "data"))
    for method, what in (("dpo", f"1 row (pair_id {paired['pair_id'][-1]}): blank_answer"), ("kto", "label is true")):
        done = exported(tmp_path, "trl", "--method", method, "--strict")
        assert done.returncode == 1 and what in done.stderr and not (tmp_path / "out").exists()


def test_what_the_study_tells_its_template_goes_with_each_row_or_is_said(tmp_path: Path) -> None:
    save_study(tmp_path, PLAIN, system="Be kind.", template_kwargs={"enable_thinking": False})
    assert exported(tmp_path, "trl", "--method", "dpo").returncode == 0
    lines = [*map(json.loads, (tmp_path / f"out/{NAME}.dpo.jsonl").read_text().split("\n")[:-1])]
    assert [line["chat_template_kwargs"] for line in lines] == [{"enable_thinking": False}] * len(PLAIN)
    untold = exported(tmp_path, "openrlhf", "--strict", out="untold")
    assert untold.returncode == 1 and "tells the chat template nothing of enable_thinking" in untold.stderr
    opened = [line["prompt"][0] for line in lines]
    assert sorted(message["content"] for message in opened if message["role"] == "system") == [
        "Be brief.", "Be kind.", "Be kind.", "Count.",
    ]  # fmt: skip


def test_an_arm_a_run_and_a_selection_are_exported_side_by_side(tmp_path: Path) -> None:
    save_study(tmp_path, PLAIN)
    done = ran(tmp_path, "curation", "export", NAME, world.TUNED, "--to", "llama-factory", "--out", "out")
    assert done.returncode == 0, done.stderr
    entries = json.loads((tmp_path / "out/dataset_info.json").read_text())
    assert {name: entry["file_name"] for name, entry in entries.items()} == {
        f"{NAME}-dpo": f"{NAME}.dpo.jsonl", f"{world.ARM}-dpo": f"{world.ARM}.dpo.jsonl",
    }  # fmt: skip
    assert "cutoff_len: 256" in (tmp_path / f"out/{world.ARM}.dpo.yaml").read_text(), "the method's max_length"


def test_a_folder_that_is_there_is_replaced_only_if_it_is_an_export(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert exported(study, "trl", out=str(out)).returncode == 0
    again = exported(study, "openrlhf", out=str(out))
    assert again.returncode == 1 and "--replace" in again.stderr and (out / f"{NAME}.dpo.yaml").exists()
    assert exported(study, "openrlhf", "--replace", out=str(out)).returncode == 0
    assert not (out / f"{NAME}.dpo.yaml").exists() and (out / f"{NAME}.dpo.sh").exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("mine")
    refused = exported(study, "trl", "--replace", out=str(mine))
    assert refused.returncode == 1 and "no export" in refused.stderr and (mine / "thesis.tex").exists()
    assert seen(tmp_path) == ["mine", "out"]


@pytest.mark.parametrize(
    ("options", "way_out"),
    [
        (["clera", "--to", "trl"], "clera: no selection, arm or run of params.yaml; did you mean 'clear'?"),
        ([NAME, "--to", "openrlhf", "--method", "kto"], "openrlhf: OpenRLHF has no KTO"),
        ([NAME, "--to", "ms-swift", "--reasoning", "thinking"], "it takes inline, drop"),
        (["wordy", "--to", "trl", "--method", "kto"], "wordy.parquet: no such table; `dvc repro select arms` makes it"),
        (["nothing", "--to", "trl"], "nothing (dpo): no row is left to export"),
    ],
)
def test_a_mistake_is_one_line_with_the_way_out_and_leaves_nothing(
    tmp_path: Path, options: list[str], way_out: str
) -> None:
    save_study(tmp_path, PLAIN)
    (tmp_path / "data/unpaired/wordy.parquet").unlink(missing_ok=True)
    done = ran(tmp_path, "curation", "export", *options, "--out", "out")
    assert done.returncode == 1 and way_out in done.stderr and done.stderr.count("\n") == 1
    assert seen(tmp_path) == ["data", "params.yaml", "set.jsonl"]


def test_reasoning_without_a_way_and_text_past_the_template_are_refused(tmp_path: Path) -> None:
    save_study(tmp_path, THOUGHT)
    nowhere = exported(tmp_path, "trl")
    assert nowhere.returncode == 1 and "student.reasoning is null" in nowhere.stderr
    save_study(tmp_path, THOUGHT, reasoning="text")
    past = exported(tmp_path, "trl")
    assert past.returncode == 1 and "--reasoning, one of reasoning_content, thinking, inline, drop" in past.stderr
    assert not (tmp_path / "out").exists()


def test_every_command_of_the_page_prints_what_it_shows(tmp_path: Path) -> None:
    """Of a study with pairs of every sort; what is said on stderr comes last."""
    save_study(tmp_path, PLAIN + THOUGHT + CALLED, reasoning="inline")
    commands = COMMAND.findall(PAGE.read_text())
    assert len(commands) == 3
    for command, shown in commands:
        words = shlex.split(command.partition(";")[0])
        if words[0] == "cat":
            said = (tmp_path / words[1]).read_text()
        else:
            done = ran(tmp_path, *words)
            code = f"exit code {done.returncode}\n" if "echo" in command else ""
            said = done.stdout + done.stderr + code
        assert as_shown(shown).fullmatch(said), f"$ {command}\n{said}"


SMOOTHED = {  # what a trainer is told of soft labels, by the loss of the study's method
    ("trl", "robust"): "loss_type:\n- robust\nlabel_smoothing: 0.2\n",
    ("trl", "conservative"): None,
    ("llama-factory", "conservative"): "dpo_label_smoothing: 0.2\n",
    ("llama-factory", "robust"): None,
    ("ms-swift", "robust"): "loss_type: robust\nlabel_smoothing: 0.2\n",
    ("openrlhf", "conservative"): "--model.label_smoothing 0.2",
    ("axolotl", "conservative"): None,
}


@pytest.mark.slow
@pytest.mark.parametrize(("to", "loss"), SMOOTHED)
def test_soft_labels_stand_in_each_row_and_what_a_trainer_has_for_all_is_told(
    to: str, loss: str, tmp_path: Path
) -> None:
    """The kind of fault: a trainer that is told of a smoothing which it ignores, or takes for another loss."""
    paired, _ = save_study(tmp_path, PLAIN)
    for file in (tmp_path / f"data/subsets/{NAME}.parquet", tmp_path / f"data/arms/subsets/{world.ARM}.parquet"):
        parquet.write(contracts.SUBSETS, paired.with_columns(p_chosen=pl.lit(0.8)), file)
    params = YAML(typ="safe", pure=True).load(tmp_path / "params.yaml")
    params["selections"][NAME]["p_chosen"] = "rubric.p_chosen_logic"
    params["methods"]["dpo"] |= {"kind": "soft_dpo", "loss": loss, "unusable": "refuse"}
    write(params, tmp_path / "params.yaml")
    done = exported(tmp_path, to, name=NAME)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / f"out/{NAME}.dpo.jsonl").read_text().strip("\n").split("\n")]
    assert [row["p_chosen"] for row in rows] == [0.8] * paired.height
    told = next(file for file in (tmp_path / "out").iterdir() if file.suffix in (".yaml", ".sh")).read_text()
    assert f"by which the study's {loss} DPO weighs it" in told and "would be 0.2" in told
    said = SMOOTHED[to, loss]
    assert said in told if said else "label_smoothing" not in told
