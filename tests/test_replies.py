"""What a server says, read once. Whichever way a reply comes: what is needed and unusable is a failed attempt that is
asked again, what is optional and unusable costs nothing, absence is never content.

The cases are lines of tests/data/replies.jsonl: what a good completion is changed to, and what is to come of it.
"""

import json
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import world
from conftest import Serve
from served import ROOT, ran, save, served_params
from server import Answer, Request, failing, good
from world import own

from curation.calls.ledger import Ledger
from curation.calls.wire import read_response
from curation.core.params import read
from curation.judging.judges import answer
from curation.models.engines import openai
from curation.models.reasoning import Harmony, Think
from curation.tables import contracts, measurements, parquet
from curation.tables.db import connect
from curation.training.evaluate import evaluate, find_told

CASES: dict[str, dict[str, Any]] = {
    line["id"]: line for line in map(json.loads, (Path(__file__).parent / "data/replies.jsonl").open())
}
NO_LINE = ("no_json", "nested", "bom")  # bodies that a line of a batch file cannot hold
ALIKE = ("text", "finish_reason", "prompt_tokens", "completion_tokens", "error", "reasoning", "refusal", "tool_calls")


def body_of(case: Mapping[str, Any]) -> str:
    """The response that the case describes."""
    if "raw" in case:
        return str(case["raw"])
    message = case.get("message", {"role": "assistant", "content": "x"})
    choice = {"index": 0, "message": message, "finish_reason": "stop"} | case.get("choice", {})
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return json.dumps({"id": "c", "choices": [choice], "usage": usage} | case.get("body", {}))


@pytest.mark.parametrize("name", CASES)
def test_a_reply_is_what_its_case_says(name: str) -> None:
    want = dict(CASES[name]["want"])
    reply, retryable, _ = read_response(200, body_of(CASES[name]).encode(), "e")
    if error := want.pop("error", None):
        assert error in str(reply.error) and reply.completion is None and reply.finish_reason == "error"
        assert retryable != str(reply.error).startswith("the body is not a chat completion")
    else:
        assert reply.error is None
        assert want.pop("tools", False) == (reply.tool_calls is not None)
    assert {field: getattr(reply, field) for field in want} == want


def study(folder: Path, url: str) -> list[str]:
    """A study with a prompt for each case. Returns the cases by the number in their prompts."""
    params = served_params(folder, url, len(CASES), 1, max_retries=0, concurrency=8)
    params["ledger"]["max_failed"] = 1.0
    save(params, folder)
    return list(CASES)


def number_of(prompt: str) -> int:
    found = re.search(r"What is (\d+) \+ 1", prompt)
    assert found
    return int(found.group(1))


def attempts(folder: Path) -> dict[int, tuple[Any, ...]]:
    """The last attempt at each prompt, as its row has it."""
    with closing(sqlite3.connect(folder / ".curation/ledger.sqlite")) as ledger:
        rows = ledger.execute(f"SELECT request, {', '.join(ALIKE)} FROM calls ORDER BY created_at").fetchall()
    return {number_of(request): row for request, *row in rows}


@pytest.mark.slow
def test_each_case_comes_out_alike_from_a_server_and_a_batch_and_ends_no_stage(serve: Serve, tmp_path: Path) -> None:
    """Live: every case is answered, the table is written; a healthy server then gets the failed ones and no other. As
    a batch file: the same attempts."""
    names, healthy = list(CASES), False

    def respond(request: Request) -> Answer:
        name = names[number_of(request.last_message)]
        return good("fine") if healthy else Answer(body_of(CASES[name]).encode("utf-8", "surrogatepass"))

    server, live, batch = serve(respond), tmp_path / "live", tmp_path / "batch"
    for folder in (live, batch):
        study(folder, server.url)
        assert ran(folder, "stages.collect").returncode == 0
    done = ran(live, "stages.generate", "writer")
    assert done.returncode == 0, done.stderr
    first = attempts(live)
    failed = {name for name in names if "error" in CASES[name]["want"]}
    assert {names[number] for number, row in first.items() if row[4] is not None} == failed
    prompts = parquet.read(contracts.PROMPTS, live / "data/prompts.parquet").explode("prompt")
    texts = prompts.select("prompt_id", pl.col("prompt").struct.field("content"))
    rows = parquet.read(contracts.TRACES, live / "data/traces/writer.parquet").join(texts, on="prompt_id")
    for content, completion, reason in rows.select("content", "completion", "finish_reason").rows():
        want = CASES[names[number_of(content)]]["want"]
        assert completion == want.get("completion") and reason == ("error" if "error" in want else want["ending"])

    check = (ROOT / "curation/tables/sql/checks/wrong_text_id.sql").read_text()
    assert connect(live / "params.yaml").sql(check).fetchall() == []  # DuckDB reads the texts as they are, NUL too

    assert ran(batch, "curation", "batch", "write", "generate", "writer", "out.jsonl").returncode == 0
    lines = []
    for line in map(json.loads, (batch / "out.jsonl").read_text().splitlines()):
        name = names[number_of(line["body"]["messages"][-1]["content"])]
        if name not in NO_LINE:
            body = body_of(CASES[name])
            lines.append(
                f'{{"custom_id": "{line["custom_id"]}", "response": {{"status_code": 200, "body": {body}}}}}\n'
            )
    (batch / "in.jsonl").write_text("".join(lines))
    done = ran(batch, "curation", "batch", "read", "generate", "writer", "in.jsonl")
    assert done.returncode == 0, done.stderr
    assert attempts(batch) == {number: row for number, row in first.items() if names[number] not in NO_LINE}

    healthy, before = True, len(server.requests)
    assert ran(live, "stages.generate", "writer").returncode == 0
    assert {names[number_of(request.last_message)] for request in server.requests[before:]} == failed
    assert {row[4] for row in attempts(live).values()} == {None}
    assert ran(live, "curation", "ledger", "verify").returncode == 0
    assert ran(live, "curation", "ledger", "export", "all.parquet").returncode == 0
    assert ran(batch, "curation", "ledger", "import", str(live / "all.parquet")).returncode == 0
    assert ran(batch, "curation", "ledger", "verify").returncode == 0
    assert attempts(batch) == attempts(live)


def test_what_a_student_says_beside_its_answer_is_counted_in_its_row(serve: Serve, ledger: Ledger) -> None:
    """As in a trace's: a commentary is no answer, and so not graded."""
    params, messages = read(ROOT / "params.yaml"), {"analysis": "2+3", "commentary": "I add.", "final": "\\boxed{5}"}
    said = "<|end|><|start|>assistant".join(f"<|channel|>{name}<|message|>{text}" for name, text in messages.items())
    server = serve([good(said), good("\\boxed{5}")])
    changes = {
        "engine": openai.Params(kind="openai", endpoint=server.endpoint()), "reasoning": Harmony(kind="harmony"),
        "sampling": params.evaluate.sampling.model_copy(update={"samples": 2}),
    }  # fmt: skip
    row = {"prompt_id": 5, "prompt": [{"role": "user", "content": "2 + 3?"}], "answer": "5", "source": "sums",
           "task": "", "split": "in_domain", "verifier": "math"}  # fmt: skip
    right = answer.Params.model_validate(own()["judges"]["answer"])
    prompts = world.rows_of(contracts.PROMPTS, [row])
    results = evaluate(
        params.evaluate.model_copy(update=changes), "baseline", params.student, None, right, prompts, ledger
    )
    parquet.check(contracts.RESULTS, results, "results")
    assert results["left_out_characters"].to_list() == [len(messages["commentary"]), None]
    assert results["completion"].unique().to_list() == [messages["final"]] and results["score"].to_list() == [1.0, 1.0]


def test_a_student_that_gives_no_answer_is_not_better_off_than_one_that_is_wrong(serve: Serve, ledger: Ledger) -> None:
    """What a limit ended in its reasoning has no completion; it is graded as the settings grade a missing answer, and
    so is what ended there by itself, whatever it thought of. What cannot be read is wrong too. A call that failed is no
    answer of the student's; it is said, and the next evaluation asks it again, and it alone."""
    params = read(ROOT / "params.yaml")
    right = answer.Params.model_validate(own()["judges"]["answer"])
    server = serve(
        lambda request: {
            "5": good("\\boxed{5}"), "6": good(None, "length"), "7": failing(400),
            "8": good("<think>\\boxed{8}"), "9": good("<think>\\boxed{9}", "length"),
            "10": good("<think>\\boxed{9}, no.</think>\n\\boxed{10}"),
            "11": good("<think>\\boxed{11}</think>\\boxed{1}"), "12": good("\\boxed{3 @ 4}"),
        }[request.last_message]
    )  # fmt: skip
    sampling = params.evaluate.sampling.model_copy(update={"samples": 1})
    engine = openai.Params(kind="openai", endpoint=server.endpoint())
    changes = {"engine": engine, "sampling": sampling, "reasoning": Think(kind="think")}
    settings = params.evaluate.model_copy(update=changes)
    shared = {"source": "sums", "task": "", "split": "in_domain", "verifier": "math"}
    prompts = world.rows_of(
        contracts.PROMPTS,
        [
            {"prompt_id": n, "prompt": [{"role": "user", "content": str(n)}], "answer": str(n), **shared}
            for n in range(5, 13)
        ],
    )
    results = evaluate(settings, "baseline", params.student, None, right, prompts, ledger).sort("prompt_id")
    assert results.select("reasoning", "completion", "finish_reason", "score", "status").rows() == [
        (None, "\\boxed{5}", "stop", 1.0, "scored"), (None, None, "length", 0.0, "no_answer"),
        (None, None, "error", None, "error"), ("\\boxed{8}", None, "unfinished", 0.0, "no_answer"),
        ("\\boxed{9}", None, "length", 0.0, "no_answer"), ("\\boxed{9}, no.", "\\boxed{10}", "stop", 1.0, "scored"),
        ("\\boxed{11}", "\\boxed{1}", "stop", 0.0, "scored"), (None, "\\boxed{3 @ 4}", "stop", 0.0, "unparsable"),
    ]  # fmt: skip
    parquet.check(measurements.RESULTS, results, "results")
    assert list(find_told(settings, results))[-1] == (
        "calls failed, 1 of 8 to sums: their prompts have no value in this run; "
        "`dvc repro -sf evaluate` asks them again, and them alone; then `dvc repro`"
    )
    asked = [request.last_message for request in server.requests]
    evaluate(settings, "baseline", params.student, None, right, prompts, ledger)
    assert [request.last_message for request in server.requests][len(asked) :] == ["7"]
