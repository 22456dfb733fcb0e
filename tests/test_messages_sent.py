"""Message lists on their way: a generator's server gets all turns and tools as the protocol has them, every judge that
asks a model is shown them all, and the pairs that are trained hold them."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import world
from conftest import RUBRIC, Serve
from server import good
from test_messages import BARE, TURNS, assistant, read, save, user, written
from test_rubric import ratings

from curation.calls.ledger import Ledger
from curation.judging.judge import judge
from curation.judging.judges import process, rubric
from curation.judging.pairwise_judges import verdict
from curation.judging.prefer import prefer
from curation.pairs import pair
from curation.selection import subset
from curation.tables import contracts, parquet
from curation.tables.messages import full_messages
from curation.traces.generate import generate
from curation.traces.generators import openai

TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
CALL = {"id": "1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2, "b": 3}'}}
ASKED = [
    TURNS[0], user("2 + 3?") | {"at": "noon"}, {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "content": "five", "tool_call_id": "1"}, user("And 6 more?"),
]  # fmt: skip


@pytest.fixture
def prompts(tmp_path: Path) -> pl.DataFrame:
    """One conversation with a tool, and one text."""
    return read(save(tmp_path / "p.jsonl", [{"q": ASKED, "t": TOOLS}, {"q": "7 * 8?", "t": None}]), tools="t")


def test_a_server_is_sent_every_turn_and_the_tools(prompts: pl.DataFrame, serve: Serve, ledger: Ledger) -> None:
    """Arguments as text, no key that the protocol does not know, and one system message."""
    server = serve(lambda _: good("11"))
    settings = openai.Params.model_validate({
        "kind": "openai", "family": None, "scale_b": None, "model": "m", "revision": "r", "system": "Think first.",
        "sampling": {"samples": 1, "temperature": 0.0, "top_p": 1.0, "top_k": 0, "max_tokens": 8, "seed": 0},
        "endpoint": server.endpoint().model_dump(),
    })  # fmt: skip
    traces = generate("theirs", settings, prompts, ledger)
    assert traces["completion"].to_list() == ["11", "11"]
    bodies = {len(request.body["messages"]): request.body for request in server.requests}
    first, *rest = bodies[5]["messages"]
    assert first == TURNS[0] and bodies[5]["tools"] == TOOLS
    assert rest == [user("2 + 3?"), ASKED[2] | {"content": ""}, *ASKED[3:]]
    assert bodies[2]["messages"] == [{"role": "system", "content": "Think first."}, user("7 * 8?")]
    assert "tools" not in bodies[2]


def test_judges_and_pairs_have_the_whole_conversation(
    prompts: pl.DataFrame, tmp_path: Path, serve: Serve, ledger: Ledger
) -> None:
    rows = [
        {"m": [*ASKED, assistant(text, reasoning="Five and six.")], "t": TOOLS, "by": by}
        for by, text in (("large", "Step one.\n\n11"), ("medium", "Step two.\n\n12"))
    ]
    traces = written(
        save(tmp_path / "t.jsonl", rows), prompts, ledger, **BARE | {"messages": "m", "tools": "t", "generator": "by"}
    )
    server = serve(lambda request: good(json.dumps({"better": 1, "step_1": "valid", "step_2": "valid"}) if "better"
                                        in str(request.body["messages"][0]) else ratings()))  # fmt: skip
    asking: dict[str, Any] = {key: RUBRIC[key] for key in RUBRIC if key not in ("kind", "calls", "dimensions")}
    asking["endpoint"] = server.endpoint().model_dump()
    judge("r", rubric.Params.model_validate(RUBRIC | asking), traces, prompts, ledger)
    steps = asking | {"kind": "process", "separator": "\n\n", "max_steps": 9}
    judge("p", process.Params.model_validate(steps), traces, prompts, ledger)
    pairs = pair.pair(pair.Params.model_validate(world.settings()["pair"] | {"ladder": ["large", "medium"]}), traces)
    prefer("v", verdict.Params.model_validate(asking | {"kind": "verdict", "ties": True}), pairs, traces, prompts,
           ledger)  # fmt: skip
    assert len(server.requests) >= 2 + 2 + 2
    for request in server.requests:
        shown = request.body["messages"][1]["content"]
        assert all(f"\n{text}\n" in shown for text in ("Be brief.", "2 + 3?", "five", "And 6 more?"))
        assert '{"name": "add", "arguments": {"a": 2, "b": 3}}' in shown and json.dumps(TOOLS) in shown
    kept = pairs.with_columns(
        pl.lit(None, pl.Float64).alias(name) for name in ("margin", "p_chosen", "chosen_rating", "rejected_rating")
    ).with_columns(pl.lit(None, pl.Int32).alias("curriculum_position"))
    made = subset.add_messages(kept, subset.from_frames(traces, prompts))
    parquet.check(contracts.SUBSETS, made, "subset")
    expected = full_messages(*prompts.filter(pl.col("messages").is_not_null()).select("prompt", "messages").row(0))
    for rows_of in (made, subset.unpair(made)):
        for row in rows_of.to_dicts():
            assert (
                full_messages(row["prompt"], row["prompt_messages"]) == expected and json.loads(row["tools"]) == TOOLS
            )
