"""Decontamination and deduplication: train prompts that a benchmark holds too are dropped, and those that nearly repeat
another train prompt. Questions are compared as the tokens that `questions` makes of them."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated, NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from curation.core.params import Strict
from curation.core.progress import progress
from curation.core.ranges import Few, Seed, Share
from curation.prompts.near_responses import NearResponses
from curation.prompts.questions import list_texts, ngrams, tokens
from curation.tables.contracts import DECONTAMINATION, empty

MISSED = 0.001  # the probability that a pair at the threshold is not compared


class Ngram(Strict):
    """A train prompt is dropped if more than `share` of its tokens, or of those of one of its user's turns, lie in
    n-grams of `n` tokens that one benchmark prompt has too."""

    n: Few
    share: Annotated[float, Field(ge=0, lt=1, description="more than all is none")]


class NearDuplicates(Strict):
    """A train prompt is dropped if its n-grams of `shingle` tokens have a Jaccard similarity of `threshold` or more
    with those of a prompt that is kept.

    `permutations` is the length of the MinHash that finds the prompts to compare; `seed` draws it.
    """

    shingle: Few
    permutations: Annotated[int, Field(ge=2, le=4096, description="so many hashes of every prompt are in memory")]
    threshold: Share
    seed: Seed


class Params(Strict):
    """`decontaminate` in params.yaml. `exact` drops train prompts whose tokens are those of a benchmark prompt,
    `near_duplicate_responses` responses of preference sets. A rule that is null or false is not applied."""

    exact: bool
    ngram: Ngram | None
    near_duplicates: NearDuplicates | None
    near_duplicate_responses: NearResponses | None = None


class Verdict(NamedTuple):
    """The verdict of `decontamination` on a prompt; a kept prompt may have an `overlap` too."""

    reason: str
    against: int | None
    overlap: float | None


KEPT = Verdict("kept", None, None)
Questions = dict[int, str]  # prompt_id: tokens with a space between, in the order of prompt_id
Asked = list[tuple[int, str]]  # the questions, and after each those of its user's turns


def decontaminate(settings: Params, prompts: pl.DataFrame, instructions: Mapping[str, str | None]) -> pl.DataFrame:
    """The rows of `decontamination`, one per train prompt, in the order of prompt_id: the first rule that drops it, and
    the prompt that it is too similar to.

    `instructions` is what each source appends. The order of `prompts` changes nothing.
    """
    rows = prompts.select("prompt_id", "source", "split", "prompt").with_columns(list_texts(prompts, instructions))
    rows = rows.with_columns(tokens(pl.col("question", "frame")), pl.col("turns").list.eval(tokens(pl.element())))
    train, held_out = (rows.sort("prompt_id").filter((pl.col("split") == "train") == own) for own in (True, False))
    questions, benchmarks = (Questions(frame.select("prompt_id", "question").rows()) for frame in (train, held_out))
    verdicts = dict.fromkeys(questions, KEPT)

    def is_kept(prompt_id: int) -> bool:
        return verdicts[prompt_id].reason == KEPT.reason

    if settings.exact:
        verdicts |= _find_exact(questions, benchmarks)
    if settings.ngram and benchmarks:
        of_train = train.select("prompt_id", "question", "turns").iter_rows()
        asked = [(number, text) for number, whole, turns in of_train if is_kept(number) for text in (whole, *turns)]
        verdicts |= _find_ngram(settings.ngram, asked, benchmarks)
    if settings.near_duplicates:
        frames = dict(train.select("prompt_id", "frame").rows())
        kept = {prompt_id: text for prompt_id, text in questions.items() if is_kept(prompt_id)}
        verdicts |= _find_near_duplicates(settings.near_duplicates, kept, frames)
    table = [
        (prompt_id, source, prompt, verdicts[prompt_id].reason == KEPT.reason, *verdicts[prompt_id])
        for prompt_id, source, prompt in train.select("prompt_id", "source", "prompt").rows()
    ]
    return pl.DataFrame(table, schema=empty(DECONTAMINATION).schema, orient="row")


def shingles(text: str, size: int) -> np.ndarray:
    """A hash of 64 bits for each distinct n-gram of a question, sorted, the same in every process; the hash of the
    whole text where it has fewer than `size` tokens."""
    distinct = {" ".join(ngram) for ngram in ngrams(text, size)} or {text}
    hashes = [int.from_bytes(hashlib.blake2b(ngram.encode(), digest_size=8).digest()) for ngram in distinct]
    return np.sort(np.array(hashes, dtype=np.uint64))


def jaccard_similarities(own: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """The Jaccard similarity of a set with each of the others, one or more, all as `shingles` gives them."""
    sizes = np.array([len(other) for other in others])
    members = np.concatenate(others)
    common = own[np.searchsorted(own, members).clip(max=len(own) - 1)] == members
    shared = np.add.reduceat(common, np.cumsum(sizes) - sizes, dtype=np.int64)
    jaccard: np.ndarray = shared / (len(own) + sizes - shared)
    return jaccard


def _find_exact(train: Questions, benchmarks: Questions) -> dict[int, Verdict]:
    """A verdict on every train prompt whose tokens are those of a benchmark prompt."""
    holders = {text: prompt_id for prompt_id, text in reversed(benchmarks.items()) if text}  # of equals the first
    return {prompt_id: Verdict("exact", holders[text], 1.0) for prompt_id, text in train.items() if text in holders}


def _find_ngram(settings: Ngram, train: Asked, benchmarks: Questions) -> dict[int, Verdict]:
    """A verdict on every train prompt that has `n` tokens, with the highest share of it, or of one of its turns,
    that one benchmark prompt covers, of equals the first."""
    size, ids, verdicts, shares = settings.n, list(benchmarks), dict[int, Verdict](), dict[int, float]()
    holders = _index_ngrams(size, benchmarks)
    # for each benchmark prompt: how many tokens it covers so far, and where the last of them ends
    covered, end = np.zeros((2, len(ids)), dtype=np.int64)
    with progress("decontaminate ngram", len(train), "prompts") as shown:
        for prompt_id, text in train:
            shown.advance()
            holding = list(map(holders.get, ngrams(text, size)))
            for start, numbers in enumerate(holding):
                if numbers is not None:
                    covered[numbers] += start + size - np.maximum(end[numbers], start)
                    end[numbers] = start + size
            if holding:
                best = int(covered.argmax())
                share = int(covered[best]) / (len(holding) + size - 1)
                dropped = share > settings.share
                if share > shares.get(prompt_id, -1):
                    verdict = Verdict("ngram", ids[best], share) if dropped else KEPT._replace(overlap=share)
                    verdicts[prompt_id], shares[prompt_id] = verdict, share
                covered[:] = end[:] = 0
    return verdicts


def _index_ngrams(size: int, benchmarks: Questions) -> dict[tuple[str, ...], np.ndarray]:
    """For each n-gram of `size` tokens in the benchmarks, the numbers of the prompts that hold it, in order."""
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, text in enumerate(benchmarks.values()):
        for ngram in set(ngrams(text, size)):
            holders[ngram].append(number)
    return {ngram: np.array(numbers) for ngram, numbers in holders.items()}


def _find_near_duplicates(settings: NearDuplicates, train: Questions, frames: Questions) -> dict[int, Verdict]:
    """A verdict on every train prompt that is too similar to a kept one before it that has the same frame, with the
    most similar of those, of equals the first."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(num_perm=settings.permutations, params=choose_bands(settings.threshold, settings.permutations))
    blank = MinHash(num_perm=settings.permutations, seed=settings.seed, hashfunc=int, scheme="affine64")
    kept: dict[int, np.ndarray] = {}
    verdicts = {}
    with progress("decontaminate near_duplicates", len(train), "prompts") as shown:
        for prompt_id, text in train.items():
            shown.advance()
            if not text:
                continue
            own, sketch = shingles(text, settings.shingle), blank.copy()
            sketch.update_batch(own)
            found = sorted(index.query(sketch))
            if candidates := [candidate for candidate in found if frames[candidate] == frames[prompt_id]]:
                overlaps = jaccard_similarities(own, [kept[candidate] for candidate in candidates])
                best = int(overlaps.argmax())
                if overlaps[best] >= settings.threshold:
                    verdicts[prompt_id] = Verdict("near_duplicate", candidates[best], float(overlaps[best]))
                    continue
            index.insert(prompt_id, sketch)
            kept[prompt_id] = own
    return verdicts


def choose_bands(threshold: float, permutations: int) -> tuple[int, int]:
    """The number of bands of a MinHash and their length: the longest with which a pair at `threshold` shares no band
    with a probability of MISSED or less.

    A band of `length` hashes is shared with probability threshold ** length.
    """
    for length in range(permutations // 2, 1, -1):
        if (1 - threshold**length) ** (permutations // length) <= MISSED:
            return permutations // length, length
    return permutations, 1
