"""How the student answers each benchmark: as all are sampled, or as it alone is."""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import world
from conftest import Serve
from server import Answer, Request, good
from world import own

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.core.params import read
from curation.judging.judges import answer
from curation.models.student import Params as Student
from curation.prompts.sources import table
from curation.tables import measurements, parquet
from curation.traces.sampling import make_calls
from curation.training.evaluate import Params, evaluate, find_told, find_truncated
from curation.training.evaluate_all import Warned
from curation.training.gold import find_unreadable
from curation.training.student_calls import make_student_calls, revision_of

ROOT = Path(__file__).parents[1]
STUDENT = Student.model_validate(own()["student"])
HELD_OUT = world.prompts().filter(pl.col("split") != "train").sort("prompt_id")
LETTERS = "How many e are in tree?"  # the one prompt of `letters`; `held_sums` has two


def settings(**changes: Any) -> Params:
    """The shipped settings with some of them changed."""
    return Params.model_validate(own()["evaluate"] | changes)


def keys(benchmarks: dict[str, Any] | None) -> list[str]:
    """Of the calls to the student, in their order."""
    return [call.key for call in make_student_calls(settings(benchmarks=benchmarks), STUDENT, "r", HELD_OUT)]


def test_what_nothing_changes_has_the_keys_and_the_order_it_had() -> None:
    """A reply that was bought stays valid whatever is said of another benchmark, or of as many more samples."""
    before = [call.key for call in make_calls(HELD_OUT, STUDENT.model, "r@float32", None, settings().sampling)]
    assert keys(None) == keys({}) == before
    assert set(keys({"letters": {}})) == set(keys({"letters": settings().sampling.model_dump()})) == set(before)
    more = keys({"letters": {"samples": 5}})
    assert set(before) < set(more) and len(more) == 4 + 5
    hotter = keys({"letters": {"temperature": 1.0, "extra": {"min_p": 0.1}}})
    assert len(set(before) & set(hotter)) == 4 and len(set(hotter)) == 6


@pytest.mark.parametrize(("engine", "apart"), [({}, False), ({"dtype": "bfloat16"}, True)])
def test_the_keys_of_an_adapter_are_others_where_it_is_not_merged_and_only_there(
    engine: dict[str, Any], apart: bool
) -> None:
    """Replies of merged bfloat16 weights are not those of the adapter beside them; all others stay valid."""
    how = settings(engine=own()["evaluate"]["engine"] | engine)
    plain = f"{STUDENT.pinned}+sha256:0"
    assert revision_of(how, STUDENT, "sha256:0", adapter=False) == plain
    assert revision_of(how, STUDENT, "sha256:0", adapter=True) == (f"{plain}+unmerged" if apart else plain)


def test_each_benchmark_is_asked_and_graded_as_its_own_sampling_says(serve: Serve, ledger: Ledger) -> None:
    def reply(request: Request) -> Answer:
        return good("\\boxed{9}" if request.last_message != LETTERS else "\\boxed{2}")

    server = serve(reply)
    how = settings(
        engine={"kind": "openai", "endpoint": server.endpoint().model_dump()},
        benchmarks={"letters": {"samples": 3, "max_tokens": 7, "temperature": 1.0}},
    )
    grader = answer.Params.model_validate(own()["judges"]["answer"])
    results = evaluate(how, "baseline", STUDENT, None, grader, world.prompts(), ledger)
    parquet.check(measurements.RESULTS, results, "results")
    asked = {
        (request.last_message == LETTERS, request.body["max_tokens"], request.body["temperature"])
        for request in server.requests
    }
    assert asked == {(True, 7, 1.0), (False, 64, 0.7)}
    samples = results.group_by("benchmark").agg(pl.col("sample_index").unique().sort(), pl.len()).sort("benchmark")
    assert samples.rows() == [("held_sums", [0, 1], 4), ("letters", [0, 1, 2], 3)]
    assert results["score"].to_list() == [1.0] * 7 and results["n_tokens"].to_list() == [3] * 7


def answered(cut: int, of: int) -> pl.DataFrame:
    """Results on `letters`, some of which reached the limit; and one failed call, which is no answer."""
    rows = [
        {"run": "baseline", "benchmark": "letters", "split": "in_domain", "prompt_id": n, "sample_index": 0,
         "finish_reason": "error" if n == of else "length" if n < cut else "stop", "status": "error"}
        for n in range(of + 1)
    ]  # fmt: skip
    return world.rows_of(measurements.RESULTS, rows)


def test_more_than_a_tenth_of_cut_answers_are_warned_of_with_the_limit_that_cut_them() -> None:
    assert list(find_truncated(settings(), answered(1, 10))) == []
    (line,) = find_truncated(settings(), answered(2, 10))
    assert line == (
        "answers were cut off, 20% of letters at 64 tokens, and part of a gain may be brevity; raise "
        "evaluate.sampling.max_tokens"
    )


def test_a_run_has_one_line_about_all_its_benchmarks_with_each_setting_to_raise() -> None:
    """A grid has a hundred runs, and each is cut on all benchmarks if on one."""
    sums, more = (answered(4, 8).with_columns(pl.lit(name).alias("benchmark")) for name in ("held_sums", "more"))
    how = settings(benchmarks={"letters": {"max_tokens": 9}, "held_sums": {"samples": 1}})
    (line,) = find_truncated(how, pl.concat([answered(11, 11), sums, more]))
    assert line == (
        "answers were cut off, 50% of held_sums at 64 tokens, 100% of letters at 9 tokens, 50% of more at 64 tokens, "
        "and part of a gain may be brevity; raise evaluate.benchmarks.letters.max_tokens, evaluate.sampling.max_tokens"
    )


def test_what_is_true_of_many_runs_is_told_once_with_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the numbers: the first as it comes, the others at the end. The kind of fault: a line a run, in which the
    one that differs is not seen."""
    seen = Warned()
    for run, cut in {"baseline": 9, "a": 8, "b": 7, "c": 0, "d": 5}.items():
        seen.tell(run, find_told(settings(), answered(cut, 10)))
    seen.tell_of_others()
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 4 and told[0].startswith("warning: evaluate baseline: answers were cut off, 90% of letters at")
    assert told[2:] == [
        "warning: evaluate: answers were cut off, so in 3 more runs: a, b, d",
        "warning: evaluate: calls failed, so in 4 more runs: a, b, c and 1 more",
    ]


def test_numbers_do_not_make_another_line_of_what_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    seen, line = Warned(), "{} of 8 completions hold '<think>' or the like, which stays there"
    for run in ("baseline", "a"):
        seen.tell(run, [line.format(len(run)), f"{len(run)} characters of {len(run)} replies are neither, as is said"])
    seen.tell_of_others()
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "warning: evaluate: completions hold '<think>' or the like, so in 1 more run: a",
        "warning: evaluate: characters of some replies are neither, so in 1 more run: a",
    ]


def test_a_benchmark_s_answer_that_its_verifier_cannot_read_is_named_before_anything_is_asked() -> None:
    """Whatever is answered there is wrong; of several accepted answers one that can be read is enough."""
    assert list(find_unreadable(HELD_OUT)) == []
    sums = HELD_OUT.filter(source="held_sums")
    broken = sums.with_columns(answer=pl.lit("N/A"), verifier=pl.lit("choice"))
    (line,) = find_unreadable(broken)
    assert line.startswith("held_sums: choice cannot read the answer of 2 of 2 prompts, the first 'N/A': whatever is")
    assert list(find_unreadable(broken.with_columns(answers=pl.lit(["N/A", "B"], pl.List(pl.String))))) == []


def benchmark(folder: Path, rows: list[dict[str, Any]], **changes: Any) -> table.Params:
    """A source of these rows, kept out of training."""
    file = folder / "sums.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    body = {
        "kind": "table", "path": str(file), "split": "in_domain", "verifier": "math", "instruction": None,
        "columns": {"prompt": "q", "answer": "a", "task": None},
    }  # fmt: skip
    return table.Params.model_validate(body | changes)


NO_GOLD = "sums.jsonl: row 1: column 'a' has no answer, as 2 rows of this benchmark, so nothing could be graded by it"


AFTER = {"columns": {"prompt": "q", "answer": {"column": "a", "after": "####"}, "task": None}}


@pytest.mark.parametrize(("changes", "answers"), [({}, [None, " "]), (AFTER, ["no end ####", ""])])
def test_a_benchmark_s_row_without_an_answer_is_refused_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], answers: list[str | None]
) -> None:
    """By `curation params`, which reads small files, and by `collect`; where nothing is graded it may lack one."""
    monkeypatch.chdir(tmp_path)
    rows = [{"q": f"1 + {n}?", "a": gold} for n, gold in enumerate(["1", *answers])]
    held_out = benchmark(Path(), rows, **changes)
    (line,) = held_out.unmet(read(ROOT / "params.yaml"))
    assert line.startswith(f"path: {NO_GOLD}")
    with pytest.raises(CurationError, match=f"^{re.escape(NO_GOLD)}"):
        table.prompts(held_out, set())
    assert table.prompts(benchmark(Path(), rows, split="train", **changes), set()).height == 3
