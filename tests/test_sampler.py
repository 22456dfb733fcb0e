"""The batched sampler, with a real, tiny model: what shares a batch changes no reply, and a draw follows the model's
own distribution."""

import re
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tiny import save_tiny_llama

from curation.calls.call import Call, Reply
from curation.core.progress import Progress, heard, progress
from curation.models import weights
from curation.models.engines._generation import Draw, generate
from curation.models.engines._pace import Decoded, Pace
from curation.models.engines.transformers import LENGTHS_APART, sample

pytestmark = pytest.mark.slow

PROMPTS = ["Hi", "What is 2 + 2?", "Name a colour, then another one that is unlike it.", "7 * 8", "Spell it."]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    tiny = save_tiny_llama(tmp_path_factory.mktemp("tiny"))
    return weights.load(str(tiny), weights.fingerprint(tiny), "float32")


@pytest.fixture(autouse=True)
def three_cores() -> Iterator[None]:
    """As many threads answer, whatever the machine has."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def calls(temperature: float, samples: int = 4, **changes: Any) -> list[Call]:
    sampling = {"temperature": temperature, "top_p": 1.0, "top_k": 0, "max_tokens": 150} | changes
    return [
        Call("tiny", "0", [{"role": "user", "content": text}], {**sampling, "seed": 10 * index + number}, index)
        for number, text in enumerate(PROMPTS)
        for index in range(samples)
    ]


def replies(model: tuple[Any, Any], requests: list[Call], batch_size: int) -> dict[str, Reply]:
    heard: dict[str, Reply] = {}
    sample(*model, requests, batch_size, lambda call, reply: heard.update({call.key: reply}))
    return heard


def test_what_shares_a_batch_changes_no_reply(model: tuple[Any, Any]) -> None:
    """Rows end at different times and leave their batch; none of the others may notice."""
    requests = calls(temperature=1.0)
    alone = replies(model, requests, 1)
    assert len(alone) == len(requests)
    assert {reply.finish_reason for reply in alone.values()} == {"stop", "length"}
    assert replies(model, requests, 4) == replies(model, requests, 20) == alone
    assert len({reply.text for reply in alone.values()}) == len(requests)


def test_samples_of_one_prompt_read_it_once(model: tuple[Any, Any]) -> None:
    read: list[tuple[int, int]] = []
    hook = (
        model[0]
        .get_input_embeddings()
        .register_forward_hook(lambda layer, given, out: read.append(tuple(given[0].shape)))
    )
    replies(model, calls(temperature=1.0, samples=4, max_tokens=2), 20)
    hook.remove()
    prompts, longest = read[0]
    assert prompts == len(PROMPTS) and longest > 1
    assert read[1] == (20, 1)


def test_calls_that_are_sampled_otherwise_do_not_break_up_batches(model: tuple[Any, Any]) -> None:
    """As of two benchmarks whose prompts take turns in length: each sampling has one batch here, not one a prompt."""
    read: list[tuple[int, int]] = []
    hook = (
        model[0]
        .get_input_embeddings()
        .register_forward_hook(lambda layer, given, out: read.append(tuple(given[0].shape)))
    )
    apart = [*calls(temperature=1.0, samples=1, max_tokens=2), *calls(temperature=0.5, samples=1, max_tokens=2)]
    assert len(replies(model, apart, 20)) == 2 * len(PROMPTS)
    hook.remove()
    assert [prompts for prompts, longest in read if longest > 1] == [len(PROMPTS)] * 2


def test_greedy_is_what_generate_gives(model: tuple[Any, Any]) -> None:
    network, tokenizer = model
    requests = calls(temperature=0.0, samples=1, max_tokens=24)
    heard = replies(model, requests, 5)
    for call in requests:
        text = tokenizer.apply_chat_template(call.messages, add_generation_prompt=True, tokenize=False)
        encoded = tokenizer(text, return_tensors="pt", add_special_tokens=False)
        whole = network.generate(**encoded, do_sample=False, max_new_tokens=24, pad_token_id=tokenizer.pad_token_id)
        new = whole[0, encoded["input_ids"].shape[1] :]
        assert heard[call.key].text == tokenizer.decode(new, skip_special_tokens=True).strip()
        assert heard[call.key].prompt_tokens == encoded["input_ids"].shape[1]


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"), [(1.0, 0, 1.0), (0.7, 5, 1.0), (1.3, 0, 0.8), (0.7, 6, 0.6)]
)
def test_a_draw_follows_the_distribution_that_generate_samples_from(
    temperature: float, top_k: int, top_p: float
) -> None:
    """Frequencies of 4,000 draws against the softmax that transformers' own warpers leave."""
    import torch
    from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    rows = 4_000
    logits = torch.randn(12, generator=torch.Generator().manual_seed(3)) * 2
    warped = TemperatureLogitsWarper(temperature)(torch.zeros(1, 1), logits[None])
    for warper in ([TopKLogitsWarper(top_k)] if top_k else []) + ([TopPLogitsWarper(top_p)] if top_p < 1 else []):
        warped = warper(torch.zeros(1, 1), warped)
    expected = warped.double().softmax(dim=1)[0].numpy()

    requests = [
        Call("m", "0", [], {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}, 0)
        for seed in range(rows)
    ]
    left = Draw(requests)(None, logits.repeat(rows, 1))
    assert (left == 0).sum(dim=1).tolist() == [1] * rows
    counts = np.bincount(left.argmax(dim=1).numpy(), minlength=12)
    possible = expected > 0
    assert counts[~possible].sum() == 0
    assert possible.sum() == 1 or stats.chisquare(counts[possible], rows * expected[possible]).pvalue > 1e-3


def test_batches_are_answered_side_by_side_and_leave_nothing_behind(model: tuple[Any, Any]) -> None:
    """Whatever ends it, no thread goes on beyond its next token, the cores are given back, and what was heard before
    is whole."""
    import torch

    passes: list[int] = []
    hook = model[0].get_input_embeddings().register_forward_hook(lambda *_: passes.append(1))

    requests, cores, running = calls(temperature=1.0), torch.get_num_threads(), threading.active_count()
    alone = replies(model, requests, 1)
    for stop in (KeyboardInterrupt, ValueError):
        heard: dict[str, Reply] = {}

        def listen(call: Call, reply: Reply, stop: type[BaseException] = stop, heard: dict[str, Reply] = heard) -> None:
            heard[call.key] = reply
            if len(heard) == 3:
                passes.clear()
                raise stop

        with pytest.raises(stop):
            sample(*model, requests, 2, listen)
        assert (torch.get_num_threads(), threading.active_count()) == (cores, running)
        assert heard == {key: alone[key] for key in heard} and len(heard) == 3
        assert len(passes) <= 4 * 3  # a thread may be two passes ahead of what is heard, and ends with the one it is in
    hook.remove()


def test_an_error_in_one_batch_ends_all(model: tuple[Any, Any]) -> None:
    import torch

    requests, cores, running = calls(temperature=1.0), torch.get_num_threads(), threading.active_count()
    requests[7].sampling["top_p"] = "high"
    with pytest.raises(TypeError):
        replies(model, requests, 1)
    assert (torch.get_num_threads(), threading.active_count()) == (cores, running)


@pytest.mark.parametrize("tokens", [1, 5, 20, 258, 3_000])
def test_numbers_drawn_for_many_steps_are_those_of_one_after_the_other(tokens: int) -> None:
    """And a row's stay its own where others leave."""
    import torch

    requests = [Call("m", "0", [], {"temperature": 1.0, "seed": seed}, 0) for seed in range(6)]
    draw, alone = Draw(requests), [torch.Generator().manual_seed(seed) for seed in range(6)]
    for step in range(150):
        if step in (7, 90):
            stay = [0, 2, 3] if step == 7 else [1, 2]
            draw.keep(stay)
            alone = [alone[row] for row in stay]
        assert torch.equal(draw.uniform(tokens), torch.stack([torch.rand(tokens, generator=one) for one in alone]))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_shapes_that_repeat_give_the_same_tokens(model: tuple[Any, Any], temperature: float) -> None:
    """As on a GPU: prompts are padded to a multiple of 64, and a batch shrinks to halves of its size alone."""
    import torch

    network, tokenizer = model
    requests = calls(temperature)
    texts = [
        tokenizer.apply_chat_template(one.messages, add_generation_prompt=True, tokenize=False) for one in requests
    ]
    told, rows, found = list[tuple[int, int]](), set[int](), dict[bool, dict[int, list[int]]]()
    hook = network.model.layers[0].register_forward_hook(lambda layer, given, out: rows.add(given[0].shape[0]))
    for repeat in (False, True):
        encoded = tokenizer(
            texts, return_tensors="pt", padding=True, add_special_tokens=False,
            pad_to_multiple_of=LENGTHS_APART if repeat else None,
        )  # fmt: skip
        rows.clear()
        with torch.inference_mode():
            eos, tell = tokenizer.eos_token_id, lambda *now: told.append(now)
            found[repeat] = dict(generate(network, encoded, requests, eos, threading.Event(), tell, repeat))
    hook.remove()
    assert found[True].keys() == set(range(20))
    cut = {
        repeat: {row: new[: new.index(eos)] if eos in new else new for row, new in of.items()}
        for repeat, of in found.items()
    }
    assert cut[True] == cut[False]
    assert encoded["input_ids"].shape[1] % LENGTHS_APART == 0
    assert rows <= {len(PROMPTS), 20, 10, 5, 3, 2, 1} and 20 in rows  # each prompt is read once for its samples
    assert all(0 <= tokens <= 16 * 20 and 0 <= ended <= 20 for tokens, ended in told)


def test_progress_is_told_before_any_call_has_ended(model: tuple[Any, Any]) -> None:
    """Half of a batch ends before its first reply: what was decoded tells how far it is."""
    lines, shares = list[str](), list[float]()

    def hear(told: Progress) -> None:
        lines.append(told.describe())
        shares.append(told.reached())

    requests = calls(temperature=1.0)
    with heard(hear), progress("evaluate x", len(requests), "calls") as shown:
        sample(*model, requests, 20, lambda call, reply: shown.advance())
    before = [line for line in lines if line.startswith("evaluate x: 0/20 calls in ")]
    assert before and all(re.search(r" s, \d+ s left$", line) for line in before)
    assert 0 < shares[0] < 1 and shares[: len(before)] == sorted(shares[: len(before)]) and max(shares) <= 1


def test_a_call_is_reckoned_as_long_as_it_may_be_until_one_has_ended() -> None:
    pace = Pace(calls=100, longest=200)
    assert pace.add(Decoded(0, 16 * 50, 0)) == 16 * 50 / (100 * 200)
    assert pace.add(Decoded(0, 16 * 40, 10)) == pytest.approx(1440 / (100 * 144))  # 144 tokens for each that ended
    assert pace.add(Decoded(1, 16 * 50, 0)) == pytest.approx(2240 / (100 * 200))
    assert pace.add(Decoded(1, 10**6, 50)) == 1.0
