"""Sources, generators and judges for files of prompts and of traces."""

from collections.abc import Sequence
from typing import Any

from curation.core.messages import show_value
from curation.core.text import one_line
from curation.exchange.answers import guess_extractions
from curation.exchange.completions import texts_of
from curation.exchange.draft import Draft
from curation.exchange.generators import draft_generators
from curation.exchange.matching import Matched, Read, match
from curation.exchange.sources import draft_source
from curation.exchange.words import rate_name, split_name


def draft_traces(draft: Draft, prompts: Sequence[Read], traces: Sequence[Read]) -> None:
    """The sources and generators of files of traces, and a judge of their answers where some are known."""
    cases: list[tuple[str, str]] = []
    verifiers: list[Any] = []
    found = match(prompts, traces)
    for matched in found:
        verifier, golds = draft_source(draft, matched.source, "train", matched.by_id)
        if matched.shares_ids:
            name = show_value(matched.source.guess.columns["prompt_id"])
            said = f"{name} numbers the prompts of another file too, so prompts are matched by what they say"
            draft.said.append(one_line(f"{matched.source.guess.look.title}: {said}"))
        for trace in matched.traces:
            draft_generators(draft, trace, matched)
            if lost := _count_lost(trace, matched):
                file, of = trace.guess.look.title, matched.source.guess.look.title
                said = f"{lost} rows are about prompts that {of} has not, which gives the prompts; left out"
                draft.said.append(one_line(f"{file}: {said}, unless you name a file that has all"))
            of_ids = dict(zip(matched.source.ids, matched.source.keys, strict=True)) if matched.by_id else {}
            keys = [of_ids.get(name) for name in trace.ids] if matched.by_id else trace.keys
            if verifier is not None:
                verifiers.append(verifier)
                cases += [
                    (text, golds[key])
                    for column in (*trace.guess.wide,) or (None,)
                    for key, texts in zip(keys, texts_of(trace.guess, column), strict=True)
                    if key in golds
                    for text in texts
                ]
    for one in (trace for matched in found for trace in matched.traces if trace.guess.wide):
        _draft_wide_ratings(draft, one)
    unused = [
        one
        for one in prompts
        if not any(one.file.items() <= settings.items() for settings in draft.params["sources"].values())
    ]
    draft.said += [one_line(f"{one.guess.look.title}: no trace answers its prompts; left out") for one in unused]
    if cases:
        extract, why = guess_extractions(verifiers[0], cases)
        settings = {"kind": "answer", "extract": extract, "missing_answer": "wrong", "pass_at": 0.99}
        name = draft.add("judges", "answer", settings, "Compares the final answer of each trace with the gold one.")
        draft.note(("judges", name, "extract"), why)


def _count_lost(trace: Read, matched: Matched) -> int:
    """How many rows are about prompts that the source lacks, of what was looked at."""
    mine, known = (trace.ids, matched.source.ids) if matched.by_id else (trace.keys, matched.source.keys)
    there = set(known)
    return 0 if not matched.source.guess.look.whole else sum(one not in there for one in mine)


def _draft_wide_ratings(draft: Draft, trace: Read) -> None:
    """A judge of the numbers that stand beside each of a row's completions, whose names differ as theirs do."""
    guess, first = trace.guess, trace.guess.wide[0]
    responses: list[dict[str, Any]] = []
    numbers: list[float] = []
    for name in guess.wide:
        differ = [both for both in zip(split_name(first), split_name(name), strict=False) if both[0] != both[1]]
        word = differ[0][1] if differ else split_name(name)[-1]
        beside = [one for one in guess.look.of_kind("number") if _rates(one.name, word)]
        if not beside or "prompt" not in guess.columns:
            return
        which = {"prompt": guess.columns["prompt"], "completion": name}
        responses.append({"trace": which, "dimensions": {"score": beside[0].name}})
        numbers += beside[0].numbers
    low, high = min(numbers), max(numbers)
    scale = {"score": [low, high if high > low else low + 1]}
    settings = {"kind": "imported", **trace.file, "responses": responses, "unmatched": "drop", "scale": scale}
    draft.add("judges", "ratings", settings, "guessed: the numbers beside the completions rate these")


def _rates(name: str, side: str) -> bool:
    words = split_name(name)
    return words[-1:] == [side] and rate_name(" ".join(words[:-1]), "score") is not None
