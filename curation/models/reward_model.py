"""Reward models in transformers: conversations scored here by local weights, CPU or GPU, batched.

A score does not depend on what else is scored: each pass has `batch_size` rows of a length that follows from each row's
own, so that its shape, and with it the order in which sums are made, is the same whatever shares the batch. (On a GPU
some kernels go by a row's place as well; `batch_size: 1` leaves no other.)
"""

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby, islice
from typing import Any, Literal, NamedTuple

import numpy as np

from curation.calls.call import Call, OnReply, Reply, engine_name
from curation.calls.scores import SCORING, STEP, Rows, count_steps, is_score, make_reply
from curation.core.devices import Device
from curation.core.errors import CurationError
from curation.core.params import Strict
from curation.core.ranges import BatchSize, Day, Length
from curation.models import weights
from curation.models.chat_template import RenderingFault, Template, encode
from curation.models.faults import loading, one_sentence
from curation.models.reward_text import render_scored

AT_ONCE = 16_384  # calls that are written and sorted by length together
FINEST = 16  # tokens: lengths that are padded to differ by as many at least
QWEN = "Qwen2ForProcessRewardModel"
SEQUENCES, TOKENS = "ForSequenceClassification", "ForTokenClassification"  # of what a model scores


class Params(Strict):
    """A reward model that runs here, in transformers.

    `input` says how it reads a conversation: as its own chat template writes it (`chat`), or as a pair of texts, the
    problem and what is to be scored (`pair`). What has more than `max_length` tokens is never cut: it has no score.
    `template_date`, which may be left out, is the day that a template writes which asks for it.
    """

    kind: Literal["transformers"]
    input: Literal["chat", "pair"]
    dtype: Literal["float32", "bfloat16"]
    device: Device
    batch_size: BatchSize
    max_length: Length
    template_date: Day | None = None


class Text(NamedTuple):
    """A call as the model reads it: its token ids, where the model wants to know which of two texts each is of also
    that, and the places of the tokens that end its steps."""

    call: Call
    ids: np.ndarray
    types: np.ndarray | None
    steps: list[int] | None


class RewardEngine:
    """Loads the model once, however often it is called."""

    def __init__(self, settings: Params, model: str, revision: str, labels: int | None) -> None:
        """`labels` is how many numbers the model is to give to a conversation; None where it scores steps."""
        self.settings, self.model, self.revision, self.labels = settings, model, revision, labels

    def __call__(self, calls: Iterator[Call], on_reply: OnReply) -> None:
        """Give `on_reply` a reply to every call. Raises CurationError if the model cannot be loaded, is no reward model
        of so many labels, or has no room."""
        (network, pad), tokenizer = self.loaded
        size, limit = self.settings.batch_size, self.settings.max_length
        with one_sentence(self.model):
            while some := list(islice(calls, AT_ONCE)):
                texts = list[Text]()
                for call, written in zip(some, write(tokenizer, some, self.settings), strict=True):
                    if isinstance(written, str):
                        on_reply(call, Reply(None, "error", error=written, engine=engine_name("transformers")))
                    elif len(written.ids) > limit:
                        on_reply(call, Reply(None, "length", len(written.ids), 0, engine=engine_name("transformers")))
                    else:
                        texts.append(written)
                for batch, length in make_batches(texts, size, limit):
                    for text, rows in zip(batch, score(network, pad, batch, size, length), strict=True):
                        on_reply(text.call, _reply(text, rows))

    @cached_property
    def loaded(self) -> tuple[tuple[Any, int | None], Any]:
        """The network with its padding token, and its tokenizer."""
        network = load(self.model, self.revision, self.settings, self.labels)
        return network, weights.tokenizer(self.model, self.revision)


def load(model: str, revision: str, settings: Params, labels: int | None) -> tuple[Any, int | None]:
    """The reward model, which gives so many `labels` to a conversation, or some to each token where that is None; and
    the token that it knows as padding, None where it knows none.

    Raises CurationError where it cannot be loaded, is another kind of model, so that its head would be random numbers,
    or has another number of labels.
    """
    head: Any = f"AutoModel{SEQUENCES if labels is not None else TOKENS}"
    if labels is None and _architecture(model, revision) == QWEN:
        head = _define_qwen()
    network, said = weights.load_network(head, model, revision, settings.dtype, settings.device)
    if missing := sorted(said["missing_keys"]):
        raise CurationError(f"{model}: has no weights called {missing[0]}, so it is no reward model; name one")
    if labels not in (None, network.config.num_labels):
        raise CurationError(
            f"{model} gives {network.config.num_labels} labels, and {labels} dimensions are named; name one for each"
        )
    network.config.use_cache = False
    pad = network.config.get_text_config().pad_token_id
    known = None if pad is None or pad < 0 else int(pad)  # old Llamas have -1
    return weights.to_device(network, settings.device), known


def _architecture(model: str, revision: str) -> str | None:
    from transformers import AutoConfig

    source, pinned = weights.resolve(model, revision)
    with loading(model):
        named = AutoConfig.from_pretrained(source, **pinned).architectures
    return named[0] if named else None


def _define_qwen() -> Any:
    """The class of Qwen2.5-Math-PRM, whose own code no run is to trust: Qwen2 with a head of two layers."""
    import torch
    from transformers import Qwen2ForTokenClassification

    class Qwen2ForProcessRewardModel(Qwen2ForTokenClassification):  # type: ignore[misc]
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            hidden = torch.nn.Linear(config.hidden_size, config.hidden_size)
            self.score = torch.nn.Sequential(
                hidden, torch.nn.ReLU(), torch.nn.Linear(config.hidden_size, config.num_labels)
            )
            self.post_init()

    return Qwen2ForProcessRewardModel


def write(tokenizer: Any, calls: Sequence[Call], settings: Params) -> Iterator[Text | str]:
    """Each call as the model reads it, or why it cannot be scored."""
    if settings.input == "pair":
        first, last = ([call.messages[at]["content"] for call in calls] for at in (0, -1))
        encoded = tokenizer(first, last)
        types = encoded.get("token_type_ids") or [None] * len(calls)
        for call, ids, of in zip(calls, encoded["input_ids"], types, strict=True):
            yield Text(call, np.array(ids, np.int32), None if of is None else np.array(of, np.int32), None)
        return
    written = [render_scored(tokenizer, call, Template(None, settings.template_date)) for call in calls]
    ids_of = iter(encode(tokenizer, [text for text in written if isinstance(text, str)]))
    for call, text in zip(calls, written, strict=True):
        yield str(text) if isinstance(text, RenderingFault) else _read(tokenizer, call, next(ids_of))


def _read(tokenizer: Any, call: Call, ids: list[int]) -> Text | str:
    """The call with these tokens; why it cannot be scored where its steps do not end in tokens of their own. Raises
    CurationError if the tokenizer does not have that token."""
    array, steps = np.array(ids, np.int32), count_steps(call)
    if steps is None:
        return Text(call, array, None, None)
    token = call.sampling[SCORING][STEP]
    number = tokenizer.convert_tokens_to_ids(token)
    if number in (None, tokenizer.unk_token_id):
        raise CurationError(f"steps.token: {tokenizer.name_or_path} has no token {token!r}; name the one it scores at")
    places = np.flatnonzero(array == number).tolist()
    return Text(call, array, None, places) if len(places) == steps else f"{len(places)} tokens end {steps} steps"


def make_batches(texts: Sequence[Text], size: int, limit: int) -> Iterator[tuple[list[Text], int]]:
    """The texts in batches of `size` at most, the longest first, each with the length that all of it is padded to."""
    of_length = sorted(texts, key=lambda text: (-padded_length(len(text.ids), limit), text.call.key))
    for length, alike in groupby(of_length, key=lambda text: padded_length(len(text.ids), limit)):
        while batch := list(islice(alike, size)):
            yield batch, length


def padded_length(tokens: int, limit: int) -> int:
    """The length that a text of so many tokens is padded to, whatever else is scored: an eighth more at most, or up to
    the next multiple of FINEST, and never beyond `limit`."""
    step = max(FINEST, 1 << max(tokens.bit_length() - 4, 0))
    return min(math.ceil(tokens / step) * step, limit)


def score(network: Any, pad: int | None, batch: Sequence[Text], size: int, length: int) -> list[Rows]:
    """The numbers of each text: the model's labels, or of a text in steps for each a row of its labels, as
    probabilities where there are several.

    The batch is filled up to `size` rows with its first, and padded on the right with `pad`, what the model knows as
    padding, or with what does as well.
    """
    import torch

    rows = [*batch, *[batch[0]] * (size - len(batch))]
    pad = _choose_pad(network, rows) if pad is None else pad
    ids, mask = np.full((size, length), pad, np.int64), np.zeros((size, length), np.int64)
    types = np.zeros((size, length), np.int64)
    for at, text in enumerate(rows):
        ids[at, : len(text.ids)], mask[at, : len(text.ids)] = text.ids, 1
        if text.types is not None:
            types[at, : len(text.ids)] = text.types
    inputs = {"input_ids": ids, "attention_mask": mask}
    inputs |= {} if batch[0].types is None else {"token_type_ids": types}
    with torch.inference_mode():
        logits = network(**{name: torch.from_numpy(array).to(network.device) for name, array in inputs.items()}).logits
    found = []
    for at, text in enumerate(batch):
        own = (logits[at, None] if text.steps is None else logits[at, text.steps]).float()
        found.append((own.softmax(dim=1) if text.steps is not None and own.shape[1] > 1 else own).tolist())
    return found


def _choose_pad(network: Any, rows: Sequence[Text]) -> int:
    """A token that no row ends in, which the model is told is its padding. One that knows none takes the last token of
    a text alone for the place of its score; in a batch it takes the last that is no padding."""
    last = {int(text.ids[-1]) for text in rows}
    chosen = next(token for token in range(len(last) + 1) if token not in last)
    network.config.get_text_config().pad_token_id = chosen
    return chosen


def _reply(text: Text, rows: Rows) -> Reply:
    engine = engine_name("transformers")
    if not all(is_score(value) for row in rows for value in row):
        why = "the model's numbers are not finite; its weights are damaged, or its dtype does not hold their values"
        return Reply(None, "error", error=why, engine=engine)
    return make_reply(rows, text.steps is not None, len(text.ids), engine)
