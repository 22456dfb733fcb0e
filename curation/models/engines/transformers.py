"""Calls answered here, in transformers: local weights, CPU or GPU, batched."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, partial
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, ClassVar, Literal

from curation.calls.call import Call, Engine, OnReply, Reply, engine_name
from curation.calls.extra import TEMPLATE_FIELDS, find_untaken
from curation.core.canonical import canonical
from curation.core.devices import Device, find_unmet_torch
from curation.core.params import Strict
from curation.core.progress import reach
from curation.core.ranges import BatchSize
from curation.models import weights
from curation.models.call_rendering import render_call
from curation.models.chat_template import RenderingFault, Template
from curation.models.engines._decoding import Decoder
from curation.models.engines._generation import generate
from curation.models.engines._pace import Decoded, Pace
from curation.models.faults import one_sentence
from curation.models.reasoning import Rule

LENGTHS_APART = 64  # lengths of prompts that a GPU meets: in few shapes, which it need not work out anew
MOST_THREADS = 4  # more of them wait for Python's lock


class Params(Strict):
    """An engine of kind transformers."""

    kind: Literal["transformers"]
    dtype: Literal["float32", "bfloat16"]
    device: Device
    batch_size: BatchSize

    runs_here: ClassVar[bool] = True

    def find_mistakes(self, max_tokens: int, extra: Mapping[str, Any]) -> Iterator[str]:
        """What is sampled here is drawn by temperature, top_p and top_k alone."""
        yield from find_untaken(extra, TEMPLATE_FIELDS, "transformers")

    def find_unmet(self) -> Iterator[str]:
        """The device or a package, where it is not there."""
        yield from find_unmet_torch(self.device, self.dtype)

    def engine(self, model: weights.Weights, served_as: str | None = None, rule: Rule | None = None) -> Engine:
        """What answers calls to `model`, which is loaded at the first. What marks reasoning by `rule` stays in a
        text."""
        return TransformersEngine(self, model, rule)


class TransformersEngine:
    """Loads the model once, however often it is called."""

    def __init__(self, settings: Params, model: weights.Weights, rule: Rule | None) -> None:
        self.settings, self.model, self.rule = settings, model, rule

    def __call__(self, calls: Iterator[Call], on_reply: OnReply) -> None:
        network, tokenizer = self.loaded
        with one_sentence(self.model.model):
            sample(network, tokenizer, calls, self.settings.batch_size, on_reply, self.rule, self.model.template)

    @cached_property
    def loaded(self) -> tuple[Any, Any]:
        """The network and its tokenizer."""
        name, revision, adapter, _ = self.model
        return weights.load(name, revision, self.settings.dtype, adapter, self.settings.device)


def sample(
    network: Any,
    tokenizer: Any,
    calls: Iterable[Call],
    batch_size: int,
    on_reply: OnReply,
    rule: Rule | None = None,
    template: Template | None = None,
) -> None:
    """Give `on_reply` a sampled reply to every call, its prompt written by `template` if one is given. Prompts of like
    length share a batch; each call draws by its own seed, whatever shares its batch.

    On a CPU several batches are answered at once, each on cores of its own: one step of one batch is too little work
    for many cores to share.
    """

    on_gpu = network.device.type == "cuda"

    def answers(batch: list[Call], stopped: Event, tell: Callable[[Decoded], None]) -> Iterator[tuple[Call, Reply]]:
        prompts = [prompt_of[call.key] for call in batch]
        encoded = tokenizer(
            prompts, return_tensors="pt", padding=True, add_special_tokens=False,
            pad_to_multiple_of=LENGTHS_APART if on_gpu else None,
        ).to(network.device)  # fmt: skip
        lengths, eos = encoded["attention_mask"].sum(dim=1).tolist(), tokenizer.eos_token_id
        told = partial(Decoded, id(batch))
        for row, new in generate(network, encoded, batch, eos, stopped, lambda *now: tell(told(*now)), on_gpu):
            yield batch[row], _reply(decode, eos, lengths[row], new)

    prompt_of = dict[str, str]()
    waiting = [call for call in calls if _is_rendered(tokenizer, call, template, prompt_of, on_reply)]
    decode = Decoder(tokenizer, rule)
    # by their sampling first, which a batch has one of
    ordered = sorted(
        waiting,
        key=lambda call: (
            canonical(_without_seed(call)), len(prompt_of[call.key]), prompt_of[call.key], call.sample_index,
        ),
    )  # fmt: skip
    pace = Pace(len(ordered), max((call.sampling["max_tokens"] for call in ordered), default=1))
    for answer in _side_by_side(answers, list(_batches(ordered, batch_size)), network.device.type):
        if isinstance(answer, Decoded):
            reach(pace.add(answer))
        else:
            on_reply(*answer)


def _is_rendered(
    tokenizer: Any, call: Call, template: Template | None, prompt_of: dict[str, str], on_reply: OnReply
) -> bool:
    """Whether the chat template takes the call; then `prompt_of` has its text, else its reply is the refusal."""
    try:
        prompt_of[call.key] = render_call(tokenizer, call, template)
    except RenderingFault as fault:
        on_reply(call, Reply(None, "error", error=str(fault), engine=engine_name("transformers")))
        return False
    return True


def _side_by_side(
    answers: Callable[[list[Call], Event, Callable[[Any], None]], Iterable[Any]], batches: list[list[Call]], device: str
) -> Iterator[Any]:
    """What `answers` gives and tells of every batch, as it comes, from threads that share the CPU's cores evenly. An
    error ends them all, as does closing the iterator."""
    import torch

    cores = torch.get_num_threads()
    threads = max(min(cores, len(batches), MOST_THREADS), 1) if device == "cpu" else 1
    results: SimpleQueue[Any] = SimpleQueue()  # None where a thread is done, its error where it failed
    waiting, stopped = iter(batches), Event()

    def work() -> None:
        try:
            with torch.inference_mode():
                while not stopped.is_set() and (batch := next(waiting, None)) is not None:
                    for answer in answers(batch, stopped, results.put):
                        results.put(answer)
            results.put(None)
        except BaseException as error:
            results.put(error)

    torch.set_num_threads(max(cores // threads, 1))
    workers = [Thread(target=work) for _ in range(threads)]
    try:
        for worker in workers:
            worker.start()
        for _ in workers:
            while (result := results.get()) is not None:
                if isinstance(result, BaseException):
                    raise result
                yield result
    finally:
        stopped.set()
        for worker in workers:
            worker.join()
        torch.set_num_threads(cores)


def _batches(calls: list[Call], size: int) -> Iterator[list[Call]]:
    """Runs of at most `size` calls that differ only in prompt, seed and sample index."""
    batch: list[Call] = []
    for call in calls:
        if batch and (len(batch) == size or _without_seed(call) != _without_seed(batch[0])):
            yield batch
            batch = []
        batch.append(call)
    if batch:
        yield batch


def _without_seed(call: Call) -> dict[str, Any]:
    return {name: value for name, value in call.sampling.items() if name != "seed"}


def _reply(decode: Decoder, eos: int, prompt_tokens: int, new: list[int]) -> Reply:
    ended = eos in new
    kept = new[: new.index(eos)] if ended else new
    return Reply(
        decode(kept), "stop" if ended else "length", prompt_tokens, len(kept) + ended,
        engine=engine_name("transformers"),
    )  # fmt: skip
