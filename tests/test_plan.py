"""`plan` against what is then asked, and the budget that stops a run."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import OpenLedger, Serve
from served import answering, ran, rebuilt, save, served_params
from server import Answer, Request, good
from test_ledger import call

from curation.calls import wire
from curation.calls.budget import Params as Budget
from curation.calls.budget import Price
from curation.calls.call import Reply
from curation.calls.counts import count_calls
from curation.commands.forecast import forecast_stage
from curation.commands.outstanding import StageCalls

STAGES = (["stages.generate", "writer"], ["stages.judge", "rubric"])
PRICES = {"writer": {"prompt": 1.0, "completion": 2.0}, "judge": {"prompt": 10.0, "completion": 20.0}}


def planned(folder: Path) -> dict[str, Any]:
    done = ran(folder, "curation", "plan", "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def to_make(folder: Path) -> list[tuple[int, int, int]]:
    return [(stage["calls"], stage["in_ledger"], stage["to_make"]) for stage in planned(folder)["stages"]]


@pytest.mark.slow
def test_a_plan_is_what_is_then_asked(serve: Serve, tmp_path: Path) -> None:
    """From an empty ledger, from half of one, and from a full one; a plan itself asks nothing."""
    server = serve(answering)
    served_params(tmp_path, server.url, prompts=6)
    assert to_make(tmp_path) == [(12, 0, 12), (12, 0, 12)]
    assert server.requests == []
    rebuilt(tmp_path)
    assert len(server.requests) == 24

    served_params(tmp_path, server.url, prompts=10)
    assert to_make(tmp_path) == [(20, 12, 8), (20, 12, 8)]
    assert len(server.requests) == 24
    rebuilt(tmp_path)
    assert len(server.requests) == 40
    assert to_make(tmp_path) == [(20, 20, 0), (20, 20, 0)]
    rebuilt(tmp_path)
    assert len(server.requests) == 40


@pytest.mark.slow
def test_a_call_for_each_dimension_is_planned(serve: Serve, tmp_path: Path) -> None:
    """The rubric has two."""
    server = serve(answering)
    params = served_params(tmp_path, server.url, prompts=4, samples=1)
    rebuilt(tmp_path)
    params["judges"]["rubric"]["calls"] = "each"
    save(params, tmp_path)
    assert to_make(tmp_path) == [(4, 4, 0), (8, 0, 8)]
    before = len(server.requests)
    rebuilt(tmp_path)
    assert len(server.requests) - before == 8
    assert to_make(tmp_path) == [(4, 4, 0), (8, 8, 0)]


@pytest.mark.slow
def test_what_an_edit_buys(serve: Serve, tmp_path: Path) -> None:
    """A rubric line buys that judge's calls; an alias nothing; a sample itself; a higher max_tokens what was cut, a
    lower one what no longer fits."""
    server = serve(answering)
    params = served_params(tmp_path, server.url, prompts=5, samples=1)
    rebuilt(tmp_path)
    params["judges"]["rubric"]["instructions"] += "Be strict.\n"
    save(params, tmp_path)
    assert to_make(tmp_path) == [(5, 5, 0), (5, 0, 5)]
    params = served_params(tmp_path, server.url, prompts=5, samples=1)
    params["generators"] = {"renamed": params["generators"]["writer"]}
    save(params, tmp_path)
    assert to_make(tmp_path) == [(5, 5, 0), (5, 5, 0)]
    served_params(tmp_path, server.url, prompts=5, samples=2)
    assert to_make(tmp_path) == [(10, 5, 5), (10, 5, 5)]
    for limit, bought in ((500, 0), (3, 0), (2, 5)):  # each reply of the server has 3 tokens
        params = served_params(tmp_path, server.url, prompts=5, samples=1)
        params["generators"]["writer"]["sampling"]["max_tokens"] = limit
        save(params, tmp_path)
        assert to_make(tmp_path)[0] == (5, 5 - bought, bought)


def test_a_plan_knows_prices_and_learns_from_the_ledger(serve: Serve, tmp_path: Path) -> None:
    server = serve(answering)
    params = served_params(tmp_path, server.url, prompts=8)
    params["budget"]["prices"] = PRICES
    save(params, tmp_path)
    writer = planned(tmp_path)["stages"][0]
    assert writer["completion_tokens"] == 16 * 96 and writer["basis"] == "4 characters a token, max_tokens"
    assert writer["usd_low"] < writer["usd"] < writer["usd_high"]
    rebuilt(tmp_path)
    params = served_params(tmp_path, server.url, prompts=12)
    params["budget"]["prices"] = PRICES
    save(params, tmp_path)
    found = planned(tmp_path)
    writer, rubric = found["stages"]
    assert writer["completion_tokens"] == 8 * 3 and writer["basis"] == "history, 16 replies"
    assert abs(writer["prompt_tokens"] - 8 * 7) <= 8
    assert writer["usd_low"] <= writer["usd"] <= writer["usd_high"]
    assert rubric["at_most"] and not writer["at_most"]
    assert found["budget"]["calls_made"] == 32
    assert found["budget"]["usd_spent"] == pytest.approx(16 * (7 * 11 + 3 * 22) / 1e6)
    spoken = ran(tmp_path, "curation", "plan").stdout
    assert "16 calls to make of 48, $0.00" in spoken and "attempts bought here so far: 32, $0.00; no budget" in spoken


def test_what_was_asked_with_another_effort_says_nothing_of_the_price(serve: Serve, tmp_path: Path) -> None:
    """The kind of fault: a forecast from replies that the declared fields make longer or shorter."""
    server = serve(answering)

    def asking(prompts: int, **extra: Any) -> dict[str, Any]:
        params = served_params(tmp_path, server.url, prompts=prompts, samples=1)
        params["generators"]["writer"]["sampling"] |= {"extra": extra}
        save(params, tmp_path)
        return dict(planned(tmp_path)["stages"][0])

    asking(6, reasoning_effort="low")
    rebuilt(tmp_path)
    assert asking(8, reasoning_effort="low")["basis"] == "history, 6 replies"
    high = asking(8, reasoning_effort="high")
    assert (high["to_make"], high["basis"]) == (8, "4 characters a token, max_tokens")
    assert high["completion_tokens"] == 8 * 96


@pytest.mark.parametrize(
    ("cap", "said"),
    [({"max_calls": 9}, "budget.max_calls: 9 is reached"), ({"max_usd": 0.0001}, "budget.max_usd: 0.0001 is reached")],
)
def test_a_budget_stops_a_run_and_a_higher_one_goes_on(
    serve: Serve, tmp_path: Path, cap: dict[str, Any], said: str
) -> None:
    """A call of `writer` costs 13 millionths of a dollar: the cap is passed with the eighth, and four may be in
    flight."""
    server = serve(answering)
    params = served_params(tmp_path, server.url, prompts=20, samples=1)
    params["budget"] |= {"prices": PRICES, **cap}
    save(params, tmp_path)
    assert ran(tmp_path, "stages.collect").returncode == 0
    done = ran(tmp_path, *STAGES[0])
    assert done.returncode == 1
    made = len(server.requests)
    assert made == 9 if "max_calls" in cap else 8 <= made <= 8 + 4
    assert f"error: generate writer: {20 - made} of 20 calls have no reply" in done.stderr
    assert said in done.stderr and "raise it, then `dvc repro` goes on" in done.stderr
    assert not (tmp_path / "data/traces").exists()
    again = ran(tmp_path, *STAGES[0])
    assert (again.returncode, len(server.requests)) == (1, made)
    served_params(tmp_path, server.url, prompts=20, samples=1)
    assert ran(tmp_path, *STAGES[0]).returncode == 0
    assert len(server.requests) == 20


def test_a_price_is_per_million_tokens() -> None:
    budget = Budget(max_usd=None, max_calls=None, prices={"m": Price(prompt=2.0, completion=8.0)})
    assert budget.usd("m", 1_000_000, 500_000) == 6.0
    assert budget.usd("free", 1_000_000, 500_000) == 0.0


def test_a_pairwise_judge_is_planned_in_both_orders(serve: Serve, tmp_path: Path) -> None:
    """Two samples of four prompts are four pairs in each direction, and eight questions, which are planned before
    there is a text."""

    def answer(request: Request) -> Answer:
        wanted = request.body.get("response_format", {}).get("json_schema", {}).get("schema", {}).get("properties", {})
        return good('{"better": 1}') if "better" in wanted else answering(request)

    server = serve(answer)
    params = served_params(tmp_path, server.url, prompts=4)
    rubric = params["judges"]["rubric"]
    asking = {
        name: rubric[name]
        for name in ("model", "revision", "endpoint", "sampling", "repeats", "reference", "rationale", "instructions")
    }
    params["pairwise_judges"] = {"versus": {**asking, "kind": "verdict", "ties": False}}
    save(params, tmp_path)
    assert to_make(tmp_path) == [(8, 0, 8), (8, 0, 8), (8, 0, 8)]
    assert [stage["stage"] for stage in planned(tmp_path)["stages"]] == ["generate", "judge", "prefer"]
    rebuilt(tmp_path)
    for stage in (["stages.pair"], ["stages.prefer", "versus"]):
        done = ran(tmp_path, *stage)
        assert done.returncode == 0, done.stderr
    assert (
        sum(
            "better"
            in request.body.get("response_format", {}).get("json_schema", {}).get("schema", {}).get("properties", {})
            for request in server.requests
        )
        == 8
    )
    assert to_make(tmp_path) == [(8, 8, 0), (8, 8, 0), (8, 8, 0)]


def test_cached_and_batched_tokens_have_prices_of_their_own() -> None:
    """By hand; those that are left out are the usual ones."""
    price = Price(prompt=2.0, completion=8.0, cached=0.5, batch=0.5)
    budget = Budget(max_usd=None, max_calls=None, prices={"m": price, "plain": Price(prompt=2.0, completion=8.0)})
    assert budget.usd("m", 1_000_000, 500_000, 400_000) == pytest.approx(1.2 + 0.2 + 4.0)
    assert budget.usd("m", 1_000_000, 500_000, 400_000, batched=True) == pytest.approx(2.7)
    assert budget.usd("plain", 1_000_000, 500_000, 400_000, batched=True) == 6.0


USAGES = {
    "openai": ({"prompt_tokens_details": {"cached_tokens": 6}}, 6),
    "deepseek": ({"prompt_cache_hit_tokens": 5, "prompt_cache_miss_tokens": 2}, 5),
    "none": ({"prompt_tokens_details": {"cached_tokens": 0}}, 0),
    "not said": ({}, None),
    "more than there are": ({"prompt_tokens_details": {"cached_tokens": 8}}, None),
    "no number": ({"prompt_tokens_details": {"cached_tokens": "6"}}, None),
    "no mapping": ({"prompt_tokens_details": [6]}, None),
}


@pytest.mark.parametrize("name", USAGES)
def test_what_the_server_had_kept_is_read(name: str) -> None:
    details, cached = USAGES[name]
    choice = {"message": {"content": "5"}, "finish_reason": "stop"}
    body = {"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 3, **details}}
    reply = wire.read_body(200, body, "e").reply
    assert (reply.cached_tokens, reply.prompt_tokens, reply.error) == (cached, 7, None)


def test_spending_and_the_forecast_know_what_was_kept_and_batched(open_ledger: OpenLedger) -> None:
    """The kind of fault: a budget that stops early, and a price that frightens, because every token counts alike."""
    ledger, price = open_ledger(), Price(prompt=10.0, completion=20.0, cached=1.0, batch=0.5)
    ledger.budget = Budget(max_usd=None, max_calls=None, prices={"m": price})
    for number in range(6):
        replied = Reply("5", "stop", 100, 10, cached_tokens=80, batched=1 if number < 2 else None)
        ledger.append(call(f"q {number}"), replied, "generate", "g")
    live, batched = 4, 2
    each = (20 * 10.0 + 80 * 1.0 + 10 * 20.0) / 1e6
    assert ledger.spending().usd == pytest.approx(each * (live + 0.5 * batched))
    assert [row["usd"] for row in count_calls(ledger)] == [pytest.approx(each * (live + 0.5 * batched))]
    settings: Any = SimpleNamespace(kind="openai", model="m", revision="r")
    asked = [call(f"more {number}") for number in range(10)]
    stage = forecast_stage(ledger, StageCalls("generate", "g", settings, {one.key: one for one in asked}, asked, False))
    assert stage.cached_tokens == pytest.approx(0.8 * stage.prompt_tokens, abs=1)
    assert stage.usd_batched == pytest.approx(stage.usd / 2) and stage.usd_low <= stage.usd <= stage.usd_high
