"""`curation new`: what it finds in files of many shapes, and that what it writes is read back, checked and run.

Kinds of fault: a guess that the check of params refuses; a name of a file or a column that YAML, a terminal or a path
takes for something else; two files taken for one another's; a file written over.
"""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ruamel.yaml import YAML
from served import ran

from curation.commands import new
from curation.commands.outstanding import known_calls
from curation.core.errors import CurationError
from curation.core.params import read
from curation.core.study import Study
from curation.exchange.draft import Draft, write
from curation.exchange.placing import list_tables
from curation.experiment import registration
from curation.traces.generators.listed import Model

ROOT = Path(__file__).parents[1]
SYSTEM = {"role": "system", "content": "Think first. Put the answer in \\boxed{}."}
MODELS = {"qwen-7b": 8, "qwen-1.5b": 5, "llama-3b": 2}  # how many of ten sums each gets right


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(file: Path | str, rows: Iterable[Any]) -> str:
    """The name of a file of JSON lines, packed if it says so, that is there now."""
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    body = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)
    return str(file)


def three_outputs(folder: Path) -> None:
    """What three served models answered: message lists, reasoning beside the answer, textual ids; one is packed."""
    for model, right in MODELS.items():
        rows = [
            {
                "id": f"sum-{number:02}",
                "messages": [
                    SYSTEM,
                    {"role": "user", "content": f"What is {number} + 5?"},
                    {
                        "role": "assistant",
                        "reasoning_content": f"{model}: {number} and 5 more.",
                        "content": f"\\boxed{{{number + 5 + (number >= right)}}}",
                    },
                ],
                "answer": str(number + 5),
            }
            for number in range(10)
        ]
        lines(folder / (f"{model}.jsonl.gz" if model == "llama-3b" else f"{model}.jsonl"), rows)


def fast_if(fast: bool, value: Any) -> Any:
    """A parameter of a test that is slow otherwise: all of them together take as long as a stage."""
    name = value.stem if isinstance(value, Path) else value
    return pytest.param(value, id=name, marks=[] if fast else pytest.mark.slow)


def written(*arguments: str) -> Study:
    """The study of the params.yaml that the command writes."""
    new.main(list(arguments))
    return read()


def test_three_outputs_are_three_generators_over_the_prompts_of_one() -> None:
    three_outputs(Path("out"))
    study = written("out")
    (source,) = study.sources.values()
    assert (source.columns.messages, source.columns.prompt_id, source.verifier.kind) == ("messages", "id", "math")
    assert list(study.generators) == ["llama-3b", "qwen-1-5b", "qwen-7b"]
    assert [one.scale_b for one in study.generators.values()] == [3.0, 1.5, 7.0]
    assert study.judges["answer"].extract[0].kind == "boxed"
    assert study.pair.order == "both" and not study.runs
    assert all(
        Path(one.path).resolve() == Path("out", Path(one.path).name).resolve() for one in study.generators.values()
    )


def test_nothing_is_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    three_outputs(Path("out"))
    Path("params.yaml").write_text("mine\n")
    with pytest.raises(CurationError, match=r"params\.yaml: is there already; add --replace"):
        new.main(["out"])
    assert Path("params.yaml").read_text() == "mine\n" and not Path("data").exists()
    new.main(["out", "--replace"])
    assert Path("params.yaml.old").read_text() == "mine\n"
    assert capsys.readouterr().out.splitlines()[-4:-2] == [
        "params.yaml: written; no model is asked",
        "next: dvc repro select",
    ]


def test_another_study_s_registration_is_kept_beside_and_never_taken_for_this_one_s(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The kind of fault: a file of the last study that decides what is said of this one."""
    three_outputs(Path("out"))
    there = Path("registered.yaml")
    registration.register("h1", {"contrast": {}}, False, there)
    was = there.read_bytes()
    new.main(["out", "--out", "other.yaml"])
    assert there.read_bytes() == was
    assert "registered.yaml: of another study; once other.yaml is in the place" in capsys.readouterr().out
    new.main(["out"])
    assert not there.exists() and Path("registered.yaml.old").read_bytes() == was
    assert (
        "registered.yaml: of another study, so it is kept as registered.yaml.old; `curation register` writes this one's"
    ) in capsys.readouterr().out.splitlines()
    there.write_text("broken")
    new.main(["out", "--replace"])
    assert Path("registered.yaml.old1").read_text() == "broken"
    registration.register(None, {}, False, there)  # which is what this study says, too
    new.main(["out", "--replace"])
    assert there.exists() and "of another study" not in capsys.readouterr().out.splitlines()[-4:]


def test_dvc_finds_a_registration_of_the_new_study() -> None:
    """The kind of fault: a file that a stage depends on is put aside, and `dvc repro` stops where it is missing."""
    three_outputs(Path("out"))
    Path("dvc.yaml").write_text("stages: {}\n")
    there = Path("registered.yaml")
    registration.register("h1", {"contrast": {}}, False, there)
    study = written("out")
    assert registration.standing(study) is None and registration.read_registration(there) is not None
    assert not [*registration.find_absent(study)] and Path("registered.yaml.old").exists()
    there.unlink()
    new.main(["out", "--out", "other.yaml"])
    assert not there.exists()
    new.main(["out", "--replace"])
    assert there.exists()


def test_a_long_value_is_shown_with_a_sign_that_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    texts = (f"{number} and five, added up, come to {number + 5}" for number in range(4))
    rows = [{"prompt": f"{number} + 5?", "completion": text, "model": "m"} for number, text in enumerate(texts)]
    Path("mine.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    new.main(["mine.jsonl"])
    assert "as '0 and five, added up, come to…'" in capsys.readouterr().out


SUMS = [f"What is {number} + 5? Say why." for number in range(6)]
SETS = sorted((ROOT / "tests/data/preference_sets").glob("*.jsonl"))


def say(number: int, model: int) -> str:
    """What a model says to one of the sums; only the first is right of those that 3 divides."""
    return f"Model {model} adds them up: {number + 5 + (model and number % 3 == 0)}"


def each(**columns: Any) -> list[dict[str, Any]]:
    """A row for each sum; a column that is a function is asked for its number."""
    return [
        {name: value(number) if callable(value) else value for name, value in columns.items()}
        for number in range(len(SUMS))
    ]


def batch() -> list[str]:
    """OpenAI's batches: what was asked by custom_id, and what two models answered; a request of one expired."""
    body = {"model": "m", "messages": lambda n: [SYSTEM, {"role": "user", "content": SUMS[n]}]}
    asked = [{"custom_id": f"r-{number}", "body": row} for number, row in enumerate(each(**body))]
    names = [lines("asked.jsonl", asked)]
    for model in (0, 1):
        rows = each(
            id=lambda n: f"batch_req_{n}",
            custom_id=lambda n: f"r-{n}",
            response=lambda n, model=model: {
                "status_code": 200,
                "body": {
                    "id": "chatcmpl-1", "model": f"gpt-{model}", "system_fingerprint": "fp",
                    "choices": [{"index": 0, "message": {"role": "assistant", "content": say(n, model)},
                                 "finish_reason": "stop"}],
                },
            },
            error=None,
        )  # fmt: skip
        if model:
            rows[2] |= {"response": None, "error": {"code": "batch_expired"}}
        names.append(lines(f"batch_{model}.jsonl", rows))
    return names


def lm_eval() -> list[str]:
    """Samples of lm-eval, with lists in lists and golds at the end of a solution."""
    return [
        lines(
            f"samples_gsm8k_{model}.jsonl",
            each(
                doc_id=lambda n: n,
                doc=lambda n: {"question": SUMS[n], "answer": f"Add.\n#### {n + 5}"},
                target=lambda n: f"Add.\n#### {n + 5}",
                arguments=lambda n: {"gen_args_0": {"arg_0": f"Q: {SUMS[n]}\nA:", "arg_1": {"until": ["Q:"]}}},
                resps=lambda n, model=model: [[say(n, model)]],
                filtered_resps=lambda n: [str(n)],
                doc_hash=lambda n: f"h{n}",
                exact_match=lambda n: float(n % 2),
            ),
        )
        for model in (0, 1)
    ]


def german_table() -> list[str]:
    rows = "".join(f'{number},"{text}","{say(number, 0)}","{say(number, 1)}"\n' for number, text in enumerate(SUMS))
    Path("antworten.csv").write_text('Nr.,Frage,"Antwort: Modell #1","Antwort\nModell 2"\n' + rows)
    return ["antworten.csv"]


def german_votes() -> list[str]:
    won = ("A", "B", "gleich")
    rows = "".join(f'"{text}","{say(n, 0)}","{say(n, 1)}",{won[n % 3]}\n' for n, text in enumerate(SUMS))
    Path("wahl.csv").write_text(f"Frage,Antwort Modell A,Antwort Modell B,besser\n{rows}")
    return ["wahl.csv"]


def chinese() -> list[str]:
    both = [each(编号=lambda n, m=m: f"{n}-{m}", 问题=lambda n: SUMS[n], 回答=lambda n, m=m: say(n, m), 模型=f"模型{m}")
            for m in (0, 1)]  # fmt: skip
    return [lines("数据.jsonl", [*both[0], *both[1]])]


def hostile() -> list[str]:
    """Names that YAML, a terminal and SQL take for something else."""
    rows = each(prompt=lambda n: SUMS[n])
    for number, row in enumerate(rows):
        row |= {"a: #b\n\x1b[31m'\"": say(number, 0), "&anchor *x \u2028- {": say(number, 1)}
    return [lines("x: #1 \x1b[31m.jsonl", rows)]


def many_columns() -> list[str]:
    rows = [
        {f"feature_{k}": k * n for k in range(20)} | {f"meta_{k}": f"value {k}" for k in range(20)}
        | {"question": SUMS[n], "gold": n + 5, "model_output": say(n, m), "sample_id": f"{n}-{m}",
           "question_id": f"q{n}", "model": f"m{m}"}
        for n in range(len(SUMS)) for m in (0, 1)
    ]  # fmt: skip
    return [lines("wide.jsonl", rows)]


def samples() -> list[str]:
    """vLLM's outputs, three of each prompt."""
    rows = each(
        prompt=lambda n: SUMS[n],
        outputs=lambda n: [{"text": f"<think>{m}</think>{say(n, m)}", "finish_reason": "stop"} for m in range(3)],
        answer=lambda n: n + 5,
    )
    return [lines("outputs.jsonl", rows)]


def rated(long: bool) -> list[str]:
    ids = [(n, m) for n in range(len(SUMS)) for m in (0, 1)]
    traces = [{"id": f"t{n}-{m}", "prompt": SUMS[n], "response": say(n, m)} for n, m in ids]
    wide = [{"id": f"t{n}-{m}", "Helpfulness": 1 + (n + m) % 5, "Tone": 1 + n % 4, "created": 17 + n} for n, m in ids]
    rows = [
        {"id": row["id"], "aspect": aspect, "score": row[aspect] if n else "N/A", "worker": worker}
        for n, row in enumerate(wide) for aspect in ("Helpfulness", "Tone") for worker in ("ann", "bo")
    ]  # fmt: skip
    return [lines("traces.jsonl", traces), lines("people.jsonl", rows if long else wide)]


def same_names() -> list[str]:
    return [
        lines(f"{model}/out.jsonl", each(prompt=lambda n: SUMS[n], response=lambda n, m=m: say(n, m)))
        for m, model in enumerate(("alpha", "beta"))
    ]


def reddit() -> list[str]:
    """As SHP: labels are 1 where the first side won, which only the votes beside them tell."""
    return [
        lines("shp.jsonl", each(history=lambda n: SUMS[n], human_ref_A=lambda n: say(n, 0),
                                human_ref_B=lambda n: say(n, 1), labels=lambda n: n % 2,
                                score_A=lambda n: 5 + (n % 2), score_B=lambda n: 6 - (n % 2)))
    ]  # fmt: skip


def scored_sides() -> list[str]:
    """As WebGPT's comparisons: a question within an object, and a number for each of two answers."""
    return [
        lines("webgpt.jsonl", each(question=lambda n: {"dataset": "own", "id": f"q{n}", "full_text": SUMS[n]},
                                   answer_0=lambda n: say(n, 0), answer_1=lambda n: say(n, 1),
                                   score_0=lambda n: n / 10 - 0.2, score_1=lambda n: 0.2 - n / 10))
    ]  # fmt: skip


def told_of_sides() -> list[str]:
    """As SHP, PKU-SafeRLHF, OpenHermesPreferences and Capybara have them: ids, times, feedback and writers of each side
    stand before the sides, and a prompt that these do not repeat beside them."""
    said = {"A": lambda n: say(n, 0), "B": lambda n: say(n, 1)}
    beside = {
        f"{what}_{side}": lambda n, what=what, side=side: f"{what} {side} of {n}"
        for what in ("root_id", "orig_feedback") for side in said
    }  # fmt: skip
    times = {f"created_at_{side}": lambda n, at=at: 1_600_000_000 + n * at for at, side in ((1, "A"), (2, "B"))}
    writers = {f"orig_response_{side}_source": lambda n, side=side: f"writer-{side}" for side in said}
    sides = {f"orig_response_{side}": say for side, say in said.items()}
    votes = each(**beside, **times, **sides, **writers, history=lambda n: SUMS[n], label=lambda n: n % 2,
                 score_A=lambda n: 5 + n % 2, score_B=lambda n: 6 - n % 2)  # fmt: skip
    order = each(q=lambda n: f"Now: {SUMS[n]}", response_a=lambda n: say(n, 0), response_b=lambda n: say(n, 1),
                 label=lambda n: ("A>B", "B>>A", "[[A=B]]")[n % 3])  # fmt: skip
    turns = {side: lambda n, m=m: [{"role": "user", "content": f"Then: {SUMS[n]}"},
                                      {"role": "assistant", "content": say(n, m)}]
             for m, side in enumerate(("chosen", "rejected"))}  # fmt: skip
    pairs = each(chosen_policy="alpha", rejected_policy="beta", prompt=lambda n: f"# User\n\nThen: {SUMS[n]}", **turns)
    several = each(
        prompt=lambda n: f"Last: {SUMS[n]}", chosen=lambda n: [say(n, 0), say(n, 3)], rejected=lambda n: [say(n, 1)]
    )
    return [lines("votes.jsonl", votes), lines("order.jsonl", order), lines("pairs.jsonl", pairs),
            lines("several.jsonl", several)]  # fmt: skip


def column_for_each_vote() -> list[str]:
    rows = each(id=lambda n: n, model_a="gpt-4", model_b="llama-7b", prompt=lambda n: SUMS[n],
                response_a=lambda n: say(n, 0), response_b=lambda n: say(n, 1),
                winner_model_a=lambda n: int(n % 3 == 0), winner_model_b=lambda n: int(n % 3 == 1),
                winner_tie=lambda n: int(n % 3 == 2))  # fmt: skip
    return [lines("kaggle.jsonl", rows)]


FOUND: dict[str, tuple[Any, dict[str, Any]]] = {  # the files, and what of the study shows that they were understood
    "batch": (batch, {
        "generators.gpt-1.where": '"response.status_code" is not null',
        "generators.gpt-0.columns.completion": "response.body.choices",
        "generators.gpt-0.columns.generator": "response.body.model",
        "generators.gpt-0.columns.prompt_id": "custom_id",
        "sources.asked.columns.prompt": "body.messages",
    }),
    "lm_eval": (lm_eval, {
        "sources.samples_gsm8k_0.columns.answer.after": "####",
        "sources.samples_gsm8k_0.columns.prompt": "doc.question",
        "generators.samples-gsm8k-1.columns.completion": "resps",
        "judges.answer.kind": "answer",
    }),
    "german_table": (german_table, {
        "sources.antworten.columns.prompt": "Frage",
        "generators.antwort-modell-1.columns.completion": "Antwort: Modell #1",
        "generators.antwort-modell-2.columns.completion": "Antwort\nModell 2",
    }),
    "german_votes": (german_votes, {
        "sources.wahl.layout.kind": "votes", "sources.wahl.layout.words.a": ["A"],
        "sources.wahl.layout.words.tie": ["gleich"], "pair.order": "listed",
    }),
    "chinese": (chinese, {
        "generators.model.columns.completion": "回答", "generators.model.columns.generator": "模型",
        "generators.model.columns.trace_id": "编号",
    }),
    "hostile": (hostile, {
        "generators.a-b-31m.columns.completion": "a: #b\n\x1b[31m'\"",
        "generators.anchor-x.columns.completion": "&anchor *x \u2028- {",
    }),
    "many_columns": (many_columns, {
        "generators.wide.columns.completion": "model_output", "generators.wide.columns.trace_id": "sample_id",
        "sources.wide.columns.answer": "gold", "sources.wide.columns.prompt_id": "question_id",
    }),
    "samples": (samples, {
        "generators.outputs.columns.completion": "outputs", "generators.outputs.reasoning.kind": "think",
        "pair.within_generator": True, "sources.outputs.verifier.kind": "math",
    }),
    "wide ratings": (lambda: rated(long=False), {
        "judges.people.dimensions": {"helpfulness": "Helpfulness", "tone": "Tone"},
        "judges.people.scale": {"helpfulness": [1.0, 5.0], "tone": [1.0, 5.0]},
        "judges.people.trace_id": "id", "selections.top_tone.keep.kind": "top",
    }),
    "long ratings": (lambda: rated(long=True), {
        "judges.people.dimension": "aspect", "judges.people.score": "score", "judges.people.missing": ["N/A"],
        "judges.people.dimensions": {"helpfulness": "Helpfulness", "tone": "Tone"}, "judges.people.rater": "worker",
    }),
    "labels that scores explain": (reddit, {
        "sources.shp.layout.words.a": ["1"], "sources.shp.layout.words.b": ["0"],
        "sources.shp.columns.prompt": "history",
    }),
    "what is told of sides": (told_of_sides, {
        "sources.votes.layout.a": "orig_response_A", "sources.votes.layout.words.a": ["1"],
        "sources.votes.layout.model_b": "orig_response_B_source", "sources.votes.columns.prompt": "history",
        "sources.votes.layout.ratings.score.b": "score_B", "judges.votes_ratings.scale": {"score": [1.0, 7.0]},
        "sources.order.layout.words.a": ["A>B"], "sources.order.layout.words.b": ["B>>A"],
        "sources.order.layout.words.tie": ["[[A=B]]"], "sources.pairs.layout.chosen": "chosen",
        "sources.pairs.layout.rejected_model": "rejected_policy", "sources.pairs.columns.prompt": None,
        "sources.several.columns.prompt": "prompt", "sources.several.layout.rejected": "rejected",
    }),
    "scored sides": (scored_sides, {
        "sources.webgpt.columns.prompt": "question.full_text", "sources.webgpt.layout.order_by": "score",
        "judges.ratings.scale": {"score": [-0.3, 0.3]}, "selections.top_score.keep.kind": "top",
    }),
    "a column for each vote": (column_for_each_vote, {
        "sources.kaggle.layout.winner.tie": "winner_tie", "sources.kaggle.layout.winner.b": "winner_model_b",
        "generators.kaggle.models": {"llama-7b": Model(family="llama", scale_b=7.0)},
    }),
    "same names": (same_names, {
        "generators.alpha-out.path": "data/import/alpha-out.jsonl",
        "generators.beta-out.path": "data/import/beta-out.jsonl",
    }),
}  # fmt: skip


def options() -> list[str]:
    """What a question has to choose from, beside what a model chose; an index without a name, as pandas writes it."""
    rows = each(question=lambda n: SUMS[n], choices=["12", "7 or so", "none"], answer=lambda n: "ABC"[n % 3],
                response=lambda n: f"It is ({'ABC'[n % 2]}), I think.", **{"": lambda n: n})  # fmt: skip
    return [lines("🦙.jsonl", [*rows, rows[0] | {"question": None}])]


def verdicts_by_id() -> list[str]:
    rows = [{"a": f"t{n}-0", "b": f"t{n}-1", "winner": ("a", "b", "tie")[n % 3]} for n in range(6)]
    return [rated(long=False)[0], lines("votes.jsonl", rows)]


FOUND["verdicts by id"] = (verdicts_by_id, {
    "pairwise_judges.votes.a.trace_id": "a", "pairwise_judges.votes.words.tie": ["tie"],
    "pairwise_judges.votes.verdict": "winner",
})  # fmt: skip


def rated_steps() -> list[str]:
    """As shards, with what a hub's library writes about them."""
    rows = [{"id": f"t{n}-{m}", "step": step, "score": (n + step) / 9} for n in range(6) for m in (0, 1)
            for step in range(3)]  # fmt: skip
    for shard in (0, 1):
        lines(f"prm/part-{shard}.jsonl", rows[18 * shard : 18 * (shard + 1)])
    Path("prm/dataset_infos.json").write_text("{}")
    return [rated(long=False)[0], "prm"]


FOUND["a row for each step"] = (rated_steps, {
    "judges.prm.dimensions": {"score": "score"}, "judges.prm.steps.index": "step", "judges.prm.trace_id": "id",
})  # fmt: skip
FOUND["options"] = (options, {
    "generators.model.columns.completion": "response", "generators.model.columns.generator": None,
    "generators.model.path": "data/import/file.jsonl", "generators.model.where": '"question" is not null',
    "sources.prompts.where": '"question" is not null', "sources.prompts.verifier.kind": "choice",
})  # fmt: skip


def at(study: Study, place: str) -> Any:
    value: Any = study
    for name in place.split("."):
        value = value[name] if isinstance(value, dict) else getattr(value, name)
    return value


@pytest.mark.parametrize(
    "name",
    [
        fast_if(name in ("batch", "hostile", "long ratings", "options", "a row for each step", "verdicts by id"), name)
        for name in FOUND
    ],
)
def test_what_files_of_many_tools_hold_is_found(name: str) -> None:
    make, found = FOUND[name]
    study = written(*make())
    assert {place: at(study, place) for place in found} == found


@pytest.mark.parametrize(
    ("traces", "ratings", "found"),
    [
        (("uid", "t{n}-{m}"), ("item", "t{n}-{m}"), {"trace_id": "item"}),
        (("ref", "t{n}-{m}"), ("subject_ref", "t{n}-{m}"), {"trace_id": "subject_ref"}),
        (("nummer", "{k}"), ("zu", "{k}"), {"trace_id": "zu"}),
        (("id", "t{n}-{m}"), ("id", "judge-{k}"), {"trace_id": "about"}),
        (("qid", "q{n}"), ("item", "q{n}"), {"trace": {"prompt_id": "item", "generator": "model"}}),
    ],
)
def test_ids_that_ratings_and_traces_share_are_known_by_their_values(
    traces: tuple[str, str], ratings: tuple[str, str], found: dict[str, Any]
) -> None:
    """The kind of fault: an id is only one where its column is called so; a row's own number taken for a trace's."""
    ids = [(n, m, 100 + 2 * n + m) for n in range(len(SUMS)) for m in (0, 1)]
    written_by = [
        {traces[0]: as_id(traces[1], n, m, k), "prompt": SUMS[n], "response": say(n, m), "model": f"m{m}"}
        for n, m, k in ids
    ]
    rows = [
        {ratings[0]: as_id(ratings[1], n, m, k), "model": f"m{m}", "grade": 1 + (n + m + len(aspect)) % 5,
         "aspect": aspect, "about": f"t{n}-{m}" if "about" in found.values() else "it"}
        for n, m, k in ids for aspect in ("tone", "rigour")
    ]  # fmt: skip
    files = [lines("traces.jsonl", written_by), lines("people.jsonl", rows[::-1])]
    draft, _ = new.look_and_draft(files, [], None)
    judge = draft.params["judges"]["people"]
    assert {name: judge.get(name) for name in ("trace_id", "trace")} == {"trace_id": None, "trace": None} | found
    assert (judge["dimension"], judge["score"]) == ("aspect", "grade")
    (generator,) = draft.params["generators"].values()
    assert "trace" in found or generator["columns"]["trace_id"] == traces[0]


def as_id(form: str, n: int, m: int, k: int) -> Any:
    """An id, a number where its form is one."""
    return k if form == "{k}" else form.format(n=n, m=m, k=k)


@pytest.mark.parametrize("file", [fast_if(file.stem in ("arena", "ultrafeedback"), file) for file in SETS])
def test_a_published_preference_set_is_read_with_its_own_pairs(file: Path) -> None:
    study = written(str(file))
    (source,) = study.sources.values()
    wanted = YAML(typ="safe").load(file.with_name("sets.yaml"))[file.stem]["settings"]
    own = source.layout.model_dump(exclude_none=True)
    kept = ("kind", "chosen", "rejected", "each", "text", "a", "b", "words", "negative", "rank", "completion", "label",
            "model", "model_a", "model_b", "winner", "chosen_model", "rejected_model", "turn", "prefix")  # fmt: skip
    layout = wanted["layout"]
    assert {key: own.get(key) for key in kept} == {key: layout.get(key) for key in kept}
    columns = [wanted["columns"].get(key) for key in ("prompt", "system")]
    assert [source.columns.prompt, source.columns.system] == columns
    assert (source.transcript is not None) == ("transcript" in wanted)
    assert study.pair.order == "listed" and "labels" in study.pairwise_judges


REFUSED: dict[str, tuple[Any, str]] = {
    "no file": (lambda: ["nosuch.jsonl"], "nosuch.jsonl: does not exist"),
    "empty": (lambda: [lines("e.jsonl", [])], "e.jsonl: is empty"),
    "only a header": (lambda: Path("h.csv").write_text("prompt,response\n") and ["h.csv"], "h.csv: has no rows"),
    "no text": (lambda: [lines("n.jsonl", [{"a": 1, "b": 2}])], "no column of text that could be a prompt"),
    "prompts alone": (lambda: [lines("p.jsonl", each(prompt=lambda n: SUMS[n]))], "p.jsonl: holds prompts alone"),
    "ids of no prompts": (lambda: batch()[1:], "batch_0.jsonl: has no prompts, and no other file"),
    "ratings of nothing": (
        lambda: [*samples(), lines("r.jsonl", [{"id": "a", "score": 1}, {"id": "b", "score": 2}])],
        "r.jsonl: rates what has an id, and no trace",
    ),
    "ratings of what no column names": (
        lambda: [*samples(), lines("r.jsonl", [{"item": "a", "score": 1}, {"item": "b", "score": 2}])],
        "r.jsonl: rates what has an id, and no trace",
    ),
    "rows by id": (
        lambda: [lines("o.json", [{str(n): row for n, row in enumerate(each(prompt=lambda n: SUMS[n], output="x"))}])],
        "o.json: is one object with 6 objects that are alike",
    ),
    "columns": (
        lambda: [lines("c.json", [{"prompt": SUMS, "output": SUMS}])],
        "c.json: is one object with a list a column",
    ),
    "a log as text": (
        lambda: [lines("log.jsonl", each(prompt=lambda n: SUMS[n], response='{"choices": [{"text": "x"}]}'))],
        "log.jsonl: column 'response' is the JSON text of objects or lists",
    ),
    "half of a prompt": (
        lambda: [lines("alpaca.jsonl", each(instruction="Add.", input=lambda n: SUMS[n], output="It is seven."))],
        "alpaca.jsonl: 'instruction', 'input' are a prompt together",
    ),
    "what cannot be filtered": (
        lambda: [lines("n.jsonl", each(prompt=lambda n: SUMS[n], outputs=lambda n: ["It is seven."] * (n % 3)))],
        "data/import/n.jsonl: line 1: column 'outputs' (columns.completion) is [], a list without a completion",
    ),
    "a benchmark that is learnt": (lambda: [*samples(), "--benchmark", "outputs.jsonl"], "is named as a benchmark too"),
    "options alone": (
        lambda: [
            lines(
                "mc.jsonl",
                each(
                    doc=lambda n: {"query": SUMS[n], "choices": ["12", "7 or so"], "gold": n % 2},
                    arguments=lambda n: {"gen_args_0": {"arg_0": f"Question: {SUMS[n]}"}},
                    filtered_resps=[["-1.5", "False"]],
                ),
            )
        ],
        "mc.jsonl: holds prompts alone",
    ),
    "a folder in the place of the params": (lambda: [*samples(), "--out", ".", "--replace"], ".: is a folder"),
    "a file of rows in the place of the params": (
        lambda: [*samples(), "--out", "outputs.jsonl", "--replace"],
        "outputs.jsonl: is one of your files",
    ),
    "no name": (lambda: [""], "'': does not exist"),
    "no address": (
        lambda: [*samples(), "--judge", "http://[bad", "m"],
        "judges.rubric.endpoint.base_url: 'http://[bad' is no addre",
    ),
    "no data": (lambda: Path("notes.txt").write_text("x") and ["notes.txt"], "notes.txt: not a .parquet"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_study_is_one_sentence_and_nothing_written(name: str) -> None:
    make, said = REFUSED[name]
    with pytest.raises(CurationError) as caught:
        new.main(make())
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert not Path("params.yaml").exists() and not Path("data").exists()


def test_rows_with_images_are_left_out_as_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Kind of fault: a way out that is only open once the command that says it has done its work."""
    asked: list[Any] = [f"What is {number} + 5?" for number in range(4)]
    asked.append([{"type": "image_url", "image_url": {"url": "data:,"}}])
    roles = ("user", "assistant")
    lines("own.jsonl", [
        {"id": n, "model": f"m{sample}", "answer": str(n + 5), "messages": [
            {"role": role, "content": said} for role, said in zip(roles, (one, str(n + 5 + sample)), strict=True)]}
        for n, one in enumerate(asked) for sample in range(2)
    ])  # fmt: skip
    with pytest.raises(CurationError, match=r"leave such rows out, .*params.yaml is not written: name a copy of"):
        new.main(["own.jsonl"])
    page = (ROOT / "docs/traces.md").read_text()
    (code,) = re.findall(r"^```python\n(import duckdb\n.*?)^```", page, re.MULTILINE | re.DOTALL)
    subprocess.run([sys.executable, "-c", code], check=True)
    written("text.jsonl")
    assert "8 rows" in capsys.readouterr().out and known_calls(read()).traces.height == 8
    (where,) = re.findall(r"^`(where: .*?)`, of the source and of the generator", page, re.MULTILINE)
    text, params = Path("params.yaml").read_text(), Path("params.yaml")
    params.write_text(re.sub("^( +)(path: data/import/)text", rf"\1{where}\n\1\2own", text, flags=re.M))
    Path("data/import/own.jsonl").symlink_to(Path("own.jsonl").resolve())
    assert known_calls(read()).traces.height == 8


def test_a_judge_and_a_benchmark_are_in_the_study_and_in_what_it_costs(capsys: pytest.CaptureFixture[str]) -> None:
    test = lines("test.jsonl", [{"question": f"How many legs have {n} cats?", "answer": str(4 * n)} for n in range(3)])
    study = written(*samples(), "--benchmark", test, "--judge", "http://127.0.0.1:9/v1", "a model")
    assert study.benchmarks == ["test"] and study.evaluate.judge == "answer"
    assert (study.judges["rubric"].model, study.judges["rubric"].endpoint.api_key_env) == ("a model", None)
    assert study.judges["rubric"].reference
    assert "params.yaml: written; 18 calls, " in capsys.readouterr().out


def test_one_trace_a_prompt_is_said_to_make_no_pair(capsys: pytest.CaptureFixture[str]) -> None:
    written(lines("sharegpt.jsonl", each(conversations=lambda n: [{"from": "human", "value": SUMS[n]},
                                                                  {"from": "gpt", "value": say(n, 0)}])))  # fmt: skip
    assert "no prompt has two traces, so there is no pair" in capsys.readouterr().err


ODD = [
    "a: b #c\n- d",
    "%TAG ! x\x85y\u2028z",
    "'\"{[&*!|>",
    "null",
    "1e3",
    "\t",
    "<<",
    "=",
    "模型 👍",
    "?a",
    "? b",
    "x" * 300,
    "---",
    "",
]


def test_whatever_names_and_comments_are_the_yaml_is_read_back() -> None:
    draft = Draft({"x-names": {"entry": {name: [name, {"of": name, "null": None}] for name in ODD}, "empty": {}}})
    for name in ODD:
        draft.note(("x-names", "entry", name), f"guessed: {name}\n{name}")
        draft.note(("x-names",), name)
    assert YAML(typ="safe", pure=True).load(write(draft, "\n".join(ODD))) == draft.params


def test_what_was_there_is_kept_under_a_name_of_its_own() -> None:
    file = lines("a.jsonl", each(prompt=lambda n: SUMS[n], output_1=lambda n: say(n, 0), output_2=lambda n: say(n, 1)))
    for number in range(3):
        Path("params.yaml").write_text(f"{number}\n")
        written(file, "--replace")
    assert [Path(f"params.yaml.old{end}").read_text() for end in ("", 1, 2)] == ["0\n", "1\n", "2\n"]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["data/train-00000-of-00002.jsonl", "data/train-00001-of-00002.jsonl", "README.md"], ["set/data"]),
        (["train-00000-of-00001.jsonl", "test-00000-of-00001.jsonl"], None),
        (["m1_1_of_2.jsonl", "m1_2_of_2.jsonl", "m2_1_of_2.jsonl", "m2_2_of_2.jsonl"], "'m1', 'm2'"),
        (["data/train-0-of-2.jsonl", "data/train-1-of-2.jsonl", "data/test-0-of-1.jsonl"], "2 tables, 'test', 'train'"),
    ],
)
def test_shards_are_one_table_where_they_are_of_one(names: list[str], found: Any) -> None:
    """The kind of fault: what two models wrote, or two splits, as one table; the shards of one as several."""
    for name in names:
        lines(f"set/{name}", [{}])
    if isinstance(found, str):
        with pytest.raises(CurationError, match=f"holds shards of .*{found}; put those of each into a folder"):
            list_tables(["set"])
    else:
        assert [str(one) for one in list_tables(["set"])] == (found or sorted(f"set/{name}" for name in names))


def test_no_set_takes_the_selections_of_another() -> None:
    """The kind of fault: two judges with ratings of one name, of which the last has all the selections."""
    for name in ("one", "two"):
        lines(f"sets/{name}.jsonl", each(
            prompt=lambda n, name=name: f"{name}: {SUMS[n]}", chosen=lambda n: say(n, 0), rejected=lambda n: say(n, 1),
            score_chosen=lambda n: 4 + n % 2, score_rejected=1,
        ))  # fmt: skip
    draft, _ = new.look_and_draft(["sets"], [], None)
    found = {name: body["value"] or list(body["require"].values()) for name, body in draft.params["selections"].items()}
    assert found == {
        "top_score": "one_ratings.delta_score", "top_score_two_ratings": "two_ratings.delta_score",
        "decided": ["one_labels.delta_preference > 0"], "decided_two_labels": ["two_labels.delta_preference > 0"],
        "all": [],
    }  # fmt: skip


@pytest.fixture
def run(folder: Path) -> Callable[..., str]:
    """Runs a command in a clone of ours, which gives what it prints."""
    for name in ("curation", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    kept = [str(file.relative_to(ROOT)) for file in ROOT.glob("data/**/.gitkeep")]
    for name in ("dvc.yaml", ".dvcignore", "data/import/README.md", *kept):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
    }

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("dvc", "init", "-q", "--no-scm")
    return run


@pytest.mark.slow
def test_a_study_that_nothing_rates_is_selected_from_as_it_is_written(folder: Path, run: Callable[..., str]) -> None:
    """The kind of fault: a stage that asks for the tables of judges where there is none."""
    each_twice = each(prompt=lambda n: SUMS[n], output_1=lambda n: say(n, 0), output_2=lambda n: say(n, 1))
    run(sys.executable, "-m", "curation", "new", lines("a.jsonl", each_twice))
    run("dvc", "repro", "select")
    assert read().judges == {} and pl.read_parquet(folder / "data/subsets/random.parquet").height == len(each_twice)


@pytest.mark.slow
def test_from_outputs_to_a_selected_subset_in_three_commands(folder: Path, run: Callable[..., str]) -> None:
    three_outputs(folder / "out")
    run(sys.executable, "-m", "curation", "new", "out")
    run("dvc", "repro", "select")
    said = ran(folder, "curation", "sql", "--json", "select count(*) as n from pairs semi join "
               "'data/subsets/right_over_wrong.parquet' using (pair_id)").stdout  # fmt: skip
    subset = pl.read_parquet(folder / "data/subsets/right_over_wrong.parquet")
    # sums 2 to 4 only llama gets wrong, 5 to 7 only the large one gets right
    assert json.loads(said) == [{"n": 12}] and subset.height == 12
    assert subset["prompt"].list.get(0).struct.field("content").unique().to_list() == [SYSTEM["content"]]
    assert subset["chosen_reasoning"].null_count() == 0
    # a change of a file behind its link is seen
    three = (folder / "out/qwen-7b.jsonl").read_text().replace("\\\\boxed{12}", "\\\\boxed{13}")
    (folder / "out/qwen-7b.jsonl").write_text(three)
    assert "generate@qwen-7b" in run("dvc", "status")
