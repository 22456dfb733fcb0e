"""A study of two preference sets, from their files through every stage up to what is trained: an UltraFeedback-shaped
file of rated responses, and a file of pairs.

Kinds of fault: an id, a verdict, a rating or a column of the user's own that is not that of its text any more at the
end; a stage that a study without a model, an answer or a judge of its own stops; a byte that hangs on the order of the
files' rows.
"""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
import world
from served import ran, save
from tiny import save_tiny_llama

from curation.models.weights import fingerprint

pytestmark = pytest.mark.slow

MODELS = ("gpt-4", "llama-2-7b", "bard")
OVERALL = {"gpt-4": 9.0, "llama-2-7b": 4.0, "bard": 4.0}
ARMS = ["widest-any-own-itself", "widest-any-own-random-0"]


def answer(model: str, number: int) -> str:
    return f"{model} says {number}" + " and more" * (3 - MODELS.index(model))


def rated(number: int) -> dict[str, Any]:
    """A row of three responses; bard is rated N/A on honesty."""
    return {
        "id": f"uf-{number}", "source": "flan" if number % 2 else "sharegpt", "instruction": f"Say {number}.",
        "completions": [
            {"model": model, "response": answer(model, number), "overall_score": OVERALL[model],
             "annotations": {
                "helpfulness": {"Rating": str(5 - MODELS.index(model)), "Rationale": f"{model} helps"},
                "honesty": {"Rating": "N/A" if model == "bard" else "3", "Rationale": None},
             }}
            for model in MODELS
        ],
    }  # fmt: skip


def paired(number: int, better: str = "good", worse: str = "bad", row_id: str | None = None) -> dict[str, Any]:
    """A row of a pair as message lists, whose common beginning is the prompt."""
    ask = {"role": "user", "content": f"Who is {number}?"}
    sides = {
        side: [ask, {"role": "assistant", "content": f"{text} answer {number}"}]
        for side, text in (("chosen", better), ("rejected", worse))
    }
    return {"lang": "en", "key": row_id or f"hh-{number}", **sides}


RATED = [rated(number) for number in range(8)]
PAIRED = [*(paired(number) for number in range(6)), paired(0, row_id="again"), paired(1, "bad", "good", "turned")]


def params(folder: Path) -> dict[str, Any]:
    """The project's params over both files, with a tiny student."""
    raw = world.own()
    aspects = {name: f"annotations.{name}" for name in ("helpfulness", "honesty")}
    raw["sources"] = {
        "uf": {
            "kind": "pairs", "split": "train", "path": "data/import/uf.jsonl",
            "layout": {
                "kind": "responses", "each": "completions", "text": "response", "model": "model",
                "ratings": {"overall": "overall_score"} | {name: f"{at}.Rating" for name, at in aspects.items()},
                "rationales": {name: f"{at}.Rationale" for name, at in aspects.items()}, "order_by": "overall",
            },
            "columns": {"prompt": "instruction", "task": "source", "row_id": "id", "carried": ["source"]},
        },
        "hh": {
            "kind": "pairs", "split": "train", "path": "data/import/hh.jsonl",
            "layout": {"kind": "pair", "chosen": "chosen", "rejected": "rejected"},
            "columns": {"row_id": "key", "carried": ["lang"]},
        },
    }  # fmt: skip
    listed = {"kind": "listed", "family": None, "scale_b": None}
    raw["generators"] = {
        "uf": {**listed, "source": "uf", "models": {"llama-2-7b": {"family": "llama", "scale_b": 7.0}}},
        "hh": {**listed, "source": "hh"},
    }
    scale = {"overall": [1.0, 10.0], "helpfulness": [1.0, 5.0], "honesty": [1.0, 5.0]}
    raw["judges"] = {
        "gpt4": {"kind": "listed", "source": "uf", "scale": scale},
        "answer": raw["judges"]["answer"],  # for the benchmarks, of which there are none
    }
    raw["pairwise_judges"] = {f"{name}_labels": {"kind": "listed", "source": name} for name in ("uf", "hh")}
    raw["pair"] |= {"order": "listed", "ladder": [], "within_generator": True, "samples": "all"}
    raw["delta"]["panels"] = {}
    raw |= {"reliability": {"truth": "uf_labels", "families": {}}, "contrasts": {}, "compare": {"primary": None}}
    raw["calibrate"]["truth"] = "uf_labels"
    plain = raw["x-selection"]
    widest = {"value": "gpt4.delta_helpfulness", "keep": {"kind": "top"}, "budget": {"pairs": 8}}
    raw["selections"] = {"all": plain, "widest": plain | widest}
    raw["generator_pairs"] = {"any": {"where": "true"}}
    tiny = save_tiny_llama(folder / "tiny")
    raw["student"] = {"model": "./tiny", "revision": fingerprint(tiny), "dtype": "float32", "device": "cpu"}
    dpo, kto = (raw["methods"][name] | {"max_steps": 2, "batch_size": 2} for name in ("dpo", "kto"))
    for method in (dpo, kto):
        method["lora"] = method["lora"] | {"modules": ["q_proj"], "layers": 1}
    raw["methods"] = {"dpo": dpo, "kto": kto}
    raw["grid"] |= {"methods": ["dpo", "kto"], "selections": ["widest"], "controls": ["itself", "random"]}
    return raw


def build(folder: Path, *stages: str) -> dict[str, str]:
    """What each stage said on stderr; all must succeed."""
    said = {}
    for stage in stages:
        done = ran(folder, *f"stages.{stage}".split())
        assert done.returncode == 0, f"{stage}: {done.stderr}"
        said[stage] = done.stderr
    return said


def lay(folder: Path, raw: dict[str, Any], backwards: bool = False) -> None:
    """`folder` holds the two files, their rows turned round if `backwards`, and params.yaml."""
    (folder / "data/import").mkdir(parents=True)
    for name, rows in (("uf", RATED), ("hh", PAIRED)):
        lines = [json.dumps(row) + "\n" for row in rows]
        (folder / f"data/import/{name}.jsonl").write_text("".join(lines[::-1] if backwards else lines))
    save(raw, folder)


TO_SUBSETS = (
    "collect", "generate uf", "generate hh", "renderings", "judge gpt4", "judge answer", "pair", "prefer uf_labels",
    "prefer hh_labels", "delta", "calibrate", "reliability", "select all", "select widest",
    "arms",
)  # fmt: skip


class Study(NamedTuple):
    """Where it lies, and what each stage said on stderr."""

    folder: Path
    said: dict[str, str]

    def table(self, name: str) -> pl.DataFrame:
        """The rows of a table, in one file or in parts."""
        return pl.concat(pl.read_parquet(file) for file in sorted((self.folder / "data").glob(f"{name}*.parquet")))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("study")
    lay(folder, params(folder))
    return Study(folder, build(folder, *TO_SUBSETS))


def texts(study: Study) -> dict[int, str]:
    """What each trace says."""
    return dict(study.table("traces/").select("trace_id", "completion").iter_rows())


def test_every_response_is_a_trace_of_its_model(study: Study) -> None:
    rows = study.table("traces/")
    wanted = {(one["model"], one["response"]) for row in RATED for one in row["completions"]}
    wanted |= {("hh", row[side][-1]["content"]) for row in PAIRED for side in ("chosen", "rejected")}
    assert set(rows.select("generator", "completion").rows()) == wanted and rows.height == len(wanted)
    families = dict(rows.select("generator", "family").unique().iter_rows())
    assert families == {"gpt-4": None, "llama-2-7b": "llama", "bard": None, "hh": None}
    prompts = dict(
        study.table("prompts").select("prompt_id", pl.col("prompt").list.last().struct["content"]).iter_rows()
    )
    for prompt_id, text in rows.select("prompt_id", "completion").iter_rows():
        assert re.findall(r"\d+", prompts[prompt_id]) == [
            re.sub("gpt-4|llama-2-7b", "", text).strip("abcdefghijklmnopqrstuvwxyz ")
        ]


def test_every_rating_is_that_of_its_text(study: Study) -> None:
    of_trace = texts(study)
    rated = study.table("judgments/gpt4").filter(pl.col("status") != "no_reference")
    told = {
        (of_trace[trace_id], dimension): said
        for trace_id, dimension, *said in rated.select("trace_id", "dimension", "score", "status", "rationale").rows()
    }
    wanted: dict[tuple[str, str], list[Any]] = {}
    for row in RATED:
        for one in row["completions"]:
            wanted[one["response"], "overall"] = [one["overall_score"], "scored", None]
            for name, body in one["annotations"].items():
                score = None if body["Rating"] == "N/A" else float(body["Rating"])
                wanted[one["response"], name] = [score, "missing" if score is None else "scored", body["Rationale"]]
    assert told == wanted
    unrated = study.table("judgments/gpt4").filter(status="no_reference")
    assert unrated["trace_id"].n_unique() == 12, "the pairs have no ratings"


def test_every_verdict_is_that_of_its_file(study: Study) -> None:
    of_trace = texts(study)
    sides = study.table("pairs").select("pair_id", "chosen_trace_id", "rejected_trace_id")
    rows = study.table("preferences/").join(sides, on="pair_id")
    told = Counter(
        (of_trace[chosen], of_trace[rejected], verdict)
        for chosen, rejected, verdict in rows.select("chosen_trace_id", "rejected_trace_id", "verdict").iter_rows()
    )
    wanted = Counter[tuple[str, str, str]]()
    for row in PAIRED:
        chosen, rejected = (row[side][-1]["content"] for side in ("chosen", "rejected"))
        wanted[chosen, rejected, "chosen"] += 1
        if row["key"] in ("hh-1", "turned"):  # the two stand both ways round, and each says something of both
            wanted[rejected, chosen, "rejected"] += 1
    tied = 0
    for one, other, verdict in list(told):
        if not one.endswith(tuple("012345")) or " says " in one:
            models = [text.split(" says ")[0] for text in (one, other)]
            better, worse = (OVERALL[model] for model in models)
            assert better >= worse and verdict == ("tie" if better == worse else "chosen")
            tied += verdict == "tie"
            assert told.pop((one, other, verdict)) == 1
    assert told == wanted and tied == len(RATED)


def test_own_ids_and_columns_are_in_the_subsets(study: Study) -> None:
    rows = study.table("subsets/all").with_columns(text=pl.col("chosen").list.first().struct["content"])
    own = {row["id"]: ({"source": row["source"]}, f" says {row['id'][3:]}") for row in RATED}
    own |= {row["key"]: ({"lang": "en"}, row["chosen"][-1]["content"]) for row in PAIRED}
    assert set(rows["external_id"]) <= own.keys() and rows.height == 30
    for text, external_id, carried in rows.select("text", "external_id", "carried").iter_rows():
        columns, said = own[external_id]
        assert json.loads(carried) == columns and said in text, (
            "a pair listed both ways round has the row of its own way"
        )
    loose = study.table("unpaired/all")
    assert {json.loads(text).popitem() for text in loose["carried"]} >= {("lang", "en"), ("source", "flan")}


def test_what_is_special_is_said(study: Study) -> None:
    said = study.said
    assert "pair: 2 candidates are one pair listed both ways round\n" in said["pair"]
    assert "pair: 1 of 32 rows list a pair that another row lists too" in said["pair"]
    assert "select all: 1 of 30 pairs are in several rows of a preference set, 2 in all; external" in said["select all"]
    assert all(text == "" for name, text in said.items() if name.startswith(("generate", "judge", "prefer", "delta")))


def test_turning_the_files_round_changes_no_byte(study: Study, tmp_path: Path) -> None:
    lay(tmp_path, params(tmp_path), backwards=True)
    build(tmp_path, *TO_SUBSETS)
    files = sorted(file.relative_to(study.folder) for file in (study.folder / "data").rglob("*.parquet"))
    assert len(files) > 20
    assert [str(file) for file in files if (tmp_path / file).read_bytes() != (study.folder / file).read_bytes()] == []


def test_students_learn_from_them(study: Study) -> None:
    build(study.folder, "audit", "train")
    runs = pl.read_parquet(study.folder / "data/runs.parquet")
    assert set(runs["run"]) >= {f"dpo-{ARMS[0]}-0", f"kto-{ARMS[1]}-0"} and set(runs["status"]) == {"trained"}


def test_plan_knows_what_a_model_will_be_asked_before_a_table_is_written(tmp_path: Path) -> None:
    raw = params(tmp_path)
    raw["pairwise_judges"]["versus"] = world.own()["pairwise_judges"]["pairwise"]
    lay(tmp_path, raw)
    done = ran(tmp_path, "curation", "plan", "--json")
    assert done.returncode == 0 and not list((tmp_path / "data").glob("*.parquet")), done.stderr
    (stage,) = json.loads(done.stdout)["stages"]
    assert (stage["stage"], stage["name"], stage["calls"]) == ("prefer", "versus", 60), (
        "30 pairs of texts in both orders"
    )


def test_what_a_benchmark_holds_too_is_in_no_table(tmp_path: Path) -> None:
    raw = params(tmp_path)
    columns = {"prompt": "q", "answer": "a", "task": None}
    raw["sources"]["bench"] = {"kind": "table", "path": "data/import/bench.jsonl", "split": "in_domain",
                               "columns": columns, "verifier": "math", "instruction": None}  # fmt: skip
    lay(tmp_path, raw)
    (tmp_path / "data/import/bench.jsonl").write_text('{"q": "say 3", "a": "3"}\n')
    said = build(tmp_path, "collect", "generate uf", "generate hh", "judge gpt4", "pair", "prefer uf_labels")
    dropped = Study(tmp_path, said)
    assert "3 responses" in said["collect"] and "1 of 14 train prompts dropped: 1 exact" in said["collect"]
    for name, rows in {"responses": 21 + 12, "traces/": 21 + 12, "ratings": 63, "pairs": 31 - 3}.items():
        assert dropped.table(name).height == rows, name


def test_a_report_of_imported_pairs_alone_says_what_there_is(study: Study) -> None:
    """No generator of ours, no contrast and nothing trained: none of that has a heading."""
    build(study.folder, "report")
    page = (study.folder / "data/report.html").read_text()
    assert re.findall(r'<h2 id="(\w+)">', page) == [
        "study", "flow", "judges", "deltas", "selections", "findings", "cost", "pairs",
    ]  # fmt: skip
    drawn = {file.stem for file in (study.folder / "data/figures").iterdir()}
    assert drawn == {"flow", "deltas", "generator_deltas"}
    assert "widest-any-own-random-0" in page and "honesty" in page and ">gpt-4</span>" in page
