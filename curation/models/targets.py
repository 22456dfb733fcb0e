"""What of a trace is in the target that a student learns, whole or as `max_length` cuts it."""

import hashlib
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from curation.models.rendering import Rendered, Renderer, Row

EMPTY_BLOCKS = re.compile(  # as the templates that TRL ships write them
    r"<(think\w*|reasoning)>\s*</\1>|\[THINK\]\s*\[/THINK\]|<\|channel>thought\s*<channel\|>"
    r"|<\|channel\|>analysis<\|message\|>\s*<\|end\|>"
)
LONGEST_OPENING = 32  # characters; as much of an empty block may stand in what opens an answer

Dropped = Literal["no_room", "identical", "identical_once_cut"]


class Facts(NamedTuple):
    """What a student learns from one trace: columns of `renderings`.

    `prompt_tokens` come before the target and are not trained on. A text is kept if the target, decoded, has it whole;
    null where there is no such text. `empty_block`: the template wrote an empty block of reasoning where there is none.
    """

    prompt_tokens: int
    target_tokens: int
    reasoning_kept: bool | None
    completion_kept: bool | None
    empty_block: bool
    ends_in_eos: bool
    prompt_is_prefix: bool


def facts(renderer: Renderer, row: Row, rendered: Rendered, max_length: int | None = None) -> Facts:
    """What is in the target of a rendered row, or in what `max_length` leaves of it."""
    start, ids = rendered.start, rendered.ids[:max_length]
    target = _decode(renderer, ids[start:])
    reasoning_kept, completion_kept = _kept(renderer, target, row.reasoning or "", row.completion or "")
    return Facts(
        prompt_tokens=start,
        target_tokens=max(len(ids) - start, 0),
        reasoning_kept=reasoning_kept,
        completion_kept=completion_kept,
        empty_block=not (row.reasoning or "").strip() and _has_empty_block(rendered),
        ends_in_eos=_ends_in_eos(renderer, ids[start:]),
        prompt_is_prefix=start == len(rendered.prompt_ids),
    )


def why_dropped(sides: Sequence[Rendered], max_length: int) -> Dropped | None:
    """Why nothing is learnt from a row whose sides are cut to their first `max_length` tokens; None where something
    is. The prompt leaves no room for a target, or both sides are the same tokens, whatever the length or once cut."""
    if min(side.start for side in sides) >= max_length:
        return "no_room"
    if len({tuple(side.ids) for side in sides}) < len(sides):
        return "identical"
    return "identical_once_cut" if len({tuple(side.ids[:max_length]) for side in sides}) < len(sides) else None


def ids_hash(ids: Sequence[int]) -> int:
    """63 bits that are equal for equal token ids."""
    import numpy as np

    digest = hashlib.blake2b(np.asarray(ids, "<i8").tobytes(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _kept(renderer: Renderer, target: str, reasoning: str, completion: str) -> tuple[bool | None, bool | None]:
    """Whether each text is in the target, the reasoning before the completion; None where it is blank. Where only one
    of two that overlap can be meant, it is the longer one; what is dropped on purpose is not looked for."""
    answer, _ = _find(renderer, target, completion.strip(), last=True)
    said = None if answer is None else answer >= 0
    if renderer.student.reasoning == "drop":
        return (False if reasoning.strip() else None), said
    thought, thought_ends = _find(renderer, target, reasoning.strip())
    if thought is None or thought < 0 or answer is None or answer < 0 or thought_ends <= answer:
        return (None if thought is None else thought >= 0), said
    return len(reasoning) > len(completion), len(reasoning) <= len(completion)


def _find(renderer: Renderer, target: str, text: str, last: bool = False) -> tuple[int | None, int]:
    """Where the first or last occurrence of `text` begins and ends in `target`: -1 where it is not in it, None where
    there is no text. A text that the tokenizer itself changes is looked for as it comes back."""
    if not text:
        return None, 0
    find = target.rfind if last else target.find
    at = find(text)
    if at < 0:
        ids = renderer.tokenizer(text, add_special_tokens=False)["input_ids"]
        text = _decode(renderer, ids).strip()
        at = find(text) if text else -1
    return at, at + len(text)


def _decode(renderer: Renderer, ids: list[int]) -> str:
    return str(renderer.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))


def _has_empty_block(rendered: Rendered) -> bool:
    pairs = zip(rendered.prompt, rendered.whole, strict=False)
    shared = next((at for at, (one, other) in enumerate(pairs) if one != other), len(rendered.prompt))
    return EMPTY_BLOCKS.search(rendered.whole, max(shared - LONGEST_OPENING, 0)) is not None


def _ends_in_eos(renderer: Renderer, target: list[int]) -> bool:
    """Whether the last token that is no blank ends an answer: some templates write a line break after it."""
    for token in reversed(target):
        if token in renderer.ends:
            return True
        if _decode(renderer, [token]).strip():
            return False
    return False
