"""Which train prompts a study does without: those that a benchmark holds too, and those that say what another one says.

Questions are compared as tokens, without the instruction that their source appends: words and numbers in lower case,
and the signs that make another question of them (`2 - 3`, `2 + 3`, `(2 + 3) * 4`, `1.5`, `5!`). Other punctuation and
white space count for nothing.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Annotated, NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from curation.core.params import Positive, Share, Strict
from curation.core.progress import progress
from curation.tables.contracts import DECONTAMINATION, empty

SIGNS = {"−": "-", "–": "-", "‐": "-", "×": "*", "÷": "/", "⁄": "/", "!=": "≠", "<=": "≤", ">=": "≥"}
PIECE = r"""(?x)
    \b(?:\p{Nd}+|\p{L})!+ | \)!+                # a factorial
  | \b\p{L}['′]+\(                              # a derivative
  | (?:[\p{L}\p{M}\p{N}]|\.\p{Nd})+             # a word or a number, with the point before its decimals
  | [\p{Sm}()\[\]{}⌈⌉⌊⌋*/%^°-]                  # an operator, a relation, a bracket
"""
MISSED = 0.001  # the chance that a pair at the threshold is not looked at


class Ngram(Strict):
    """A train prompt is dropped if more than `share` of its tokens lie in runs of `size` tokens that one benchmark
    prompt has too."""

    size: Positive
    share: Annotated[float, Field(ge=0, lt=1)]


class NearDuplicates(Strict):
    """A train prompt is dropped if its runs of `shingle` tokens have a Jaccard similarity of `threshold` or more with
    those of one that is kept.

    `permutations` is the length of the MinHash that finds what to compare, `seed` draws it.
    """

    shingle: Positive
    permutations: Annotated[int, Field(ge=2)]
    threshold: Share
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)]


class Params(Strict):
    """Section `decontaminate`. `exact` drops train prompts whose tokens are those of a benchmark prompt; a rule that
    is null or false is not applied."""

    exact: bool
    ngram: Ngram | None
    near_duplicates: NearDuplicates | None


class Verdict(NamedTuple):
    """What `decontamination` says of a prompt; `overlap` may be known of a prompt that is kept."""

    reason: str
    against: int | None
    overlap: float | None


KEPT = Verdict("kept", None, None)
Questions = dict[int, str]  # prompt_id: tokens with a space between, in the order of prompt_id


def decontaminate(settings: Params, prompts: pl.DataFrame, instructions: Mapping[str, str | None]) -> pl.DataFrame:
    """The rows of `decontamination`, one per train prompt, in the order of prompt_id: the first rule that drops it, and
    the prompt it is too like.

    `instructions` is what each source appends. The order of `prompts` changes nothing.
    """
    asked = prompts.select("prompt_id", "source", "split", "prompt", question(instructions).alias("question")).sort(
        "prompt_id"
    )
    train, held_out = (asked.filter((pl.col("split") == "train") == wanted) for wanted in (True, False))
    questions, benchmarks = (Questions(frame.select("prompt_id", "question").rows()) for frame in (train, held_out))
    verdicts = dict.fromkeys(questions, KEPT)

    def left() -> Questions:
        return {one: text for one, text in questions.items() if verdicts[one].reason == KEPT.reason}

    if settings.exact:
        verdicts |= _exact(questions, benchmarks)
    if settings.ngram and benchmarks:
        verdicts |= _ngram(settings.ngram, left(), benchmarks)
    if settings.near_duplicates:
        verdicts |= _near_duplicates(settings.near_duplicates, left())
    rows = [
        (one, source, prompt, verdicts[one].reason == KEPT.reason, *verdicts[one])
        for one, source, prompt in train.drop("split", "question").rows()
    ]
    return pl.DataFrame(rows, schema=empty(DECONTAMINATION).schema, orient="row")


def question(instructions: Mapping[str, str | None]) -> pl.Expr:
    """A prompt's tokens with a space between: without its source's instruction, in Unicode's NFKC, in lower case."""
    endings = {source: f"\n{instruction}" for source, instruction in instructions.items() if instruction}
    text = pl.col("prompt").list.eval(pl.element().struct.field("content")).list.join("\n")
    bare = text.str.strip_suffix(pl.col("source").replace_strict(endings, default="", return_dtype=pl.String))
    apart = bare.str.replace_all(r"(\p{No})", " $1")  # NFKC makes 22 of 2², and 31/2 of 3½
    return apart.str.normalize("NFKC").str.to_lowercase().str.replace_many(SIGNS).str.extract_all(PIECE).list.join(" ")


def ngrams(text: str, size: int) -> Iterable[tuple[str, ...]]:
    """Every `size` tokens of a question that stand together, in order; none where it has fewer."""
    tokens = text.split()
    return zip(*(tokens[start:] for start in range(size)), strict=False)


def shingles(text: str, size: int) -> np.ndarray:
    """64 bits for each distinct run of a question, in order and the same in every process; all of it is one run
    where it has fewer than `size` tokens."""
    said = {" ".join(run) for run in ngrams(text, size)} or {text}
    return np.sort(
        np.array(
            [int.from_bytes(hashlib.blake2b(one.encode(), digest_size=8).digest()) for one in said], dtype=np.uint64
        )
    )


def jaccard_similarities(own: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """The Jaccard similarity of a set with each of some others, as `shingles` gives them; there is at least one."""
    sizes = np.array([len(other) for other in others])
    members = np.concatenate(others)
    common = own[np.searchsorted(own, members).clip(max=len(own) - 1)] == members
    shared = np.add.reduceat(common, np.cumsum(sizes) - sizes, dtype=np.int64)
    found: np.ndarray = shared / (len(own) + sizes - shared)
    return found


def _exact(train: Questions, benchmarks: Questions) -> dict[int, Verdict]:
    holder = {text: one for one, text in reversed(benchmarks.items()) if text}
    return {one: Verdict("exact", holder[text], 1.0) for one, text in train.items() if text in holder}


def _ngram(settings: Ngram, train: Questions, benchmarks: Questions) -> dict[int, Verdict]:
    """A verdict on every train prompt that has `size` tokens, with the highest share that one benchmark prompt
    covers, of equals the first."""
    size, ids, verdicts = settings.size, list(benchmarks), {}
    holders = _holders(size, benchmarks)
    covered, end = np.zeros(
        (2, len(ids)), dtype=np.int64
    )  # for each benchmark prompt: how many tokens it covers so far, and where they end
    with progress("decontaminate ngram", len(train), "prompts") as shown:
        for one, text in train.items():
            shown.advance()
            found = list(map(holders.get, ngrams(text, size)))
            for start, numbers in enumerate(found):
                if numbers is not None:
                    covered[numbers] += start + size - np.maximum(end[numbers], start)
                    end[numbers] = start + size
            if found:
                best = int(covered.argmax())
                share = int(covered[best]) / (len(found) + size - 1)
                verdicts[one] = (
                    Verdict("ngram", ids[best], share) if share > settings.share else KEPT._replace(overlap=share)
                )
                covered[:] = end[:] = 0
    return verdicts


def _holders(size: int, benchmarks: Questions) -> dict[tuple[str, ...], np.ndarray]:
    """Of each run of `size` tokens in the benchmarks, the numbers of the prompts that hold it, in order."""
    found: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, text in enumerate(benchmarks.values()):
        for run in set(ngrams(text, size)):
            found[run].append(number)
    return {run: np.array(numbers) for run, numbers in found.items()}


def _near_duplicates(settings: NearDuplicates, train: Questions) -> dict[int, Verdict]:
    """A verdict on every train prompt that is too like one before it which is kept: the most like of those, of
    equals the first."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(num_perm=settings.permutations, params=choose_bands(settings.threshold, settings.permutations))
    blank = MinHash(num_perm=settings.permutations, seed=settings.seed, hashfunc=int, scheme="affine64")
    kept: dict[int, np.ndarray] = {}
    verdicts = {}
    with progress("decontaminate near_duplicates", len(train), "prompts") as shown:
        for one, text in train.items():
            shown.advance()
            if not text:
                continue
            own, sketch = shingles(text, settings.shingle), blank.copy()
            sketch.update_batch(own)
            if near := sorted(index.query(sketch)):
                overlaps = jaccard_similarities(own, [kept[other] for other in near])
                best = int(overlaps.argmax())
                if overlaps[best] >= settings.threshold:
                    verdicts[one] = Verdict("near_duplicate", near[best], float(overlaps[best]))
                    continue
            index.insert(one, sketch)
            kept[one] = own
    return verdicts


def choose_bands(threshold: float, permutations: int) -> tuple[int, int]:
    """How many bands of a MinHash are looked up and how long they are: as long as a pair at `threshold` still shares
    one but for a chance of MISSED."""
    lengths = range(permutations // 2, 1, -1)
    length = next((one for one in lengths if (1 - threshold**one) ** (permutations // one) <= MISSED), 1)
    return permutations // length, length
