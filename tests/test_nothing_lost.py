"""No path from a reply or a file to what a student learns loses a character of a trace, outer blanks excepted, without
a row that says so: random messages, delimiters and chat templates.

Kinds of fault: a delimiter read where it is text, or a text between two rules' meanings, so that words vanish; a text
that a table, a file or a tokenizer changes; a template that deletes, trims or rewrites what it is given, while
`renderings` says that it is in the target.
"""

from functools import cache
from itertools import permutations
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from bench import templates
from curation.calls.call import Reply
from curation.calls.message import read_choice
from curation.models import weights
from curation.models.reasoning import Rule, split
from curation.selection.subset import add_messages, from_frames
from curation.tables import parquet
from curation.tables.contracts import PROMPTS, SIDES, SUBSETS, empty
from curation.tables.texts import BLANK
from curation.tables.user_messages import read_completion, read_completions, read_messages
from curation.traces.renderings import render_traces

PAIR_COLUMNS = (
    "pair_id", "prompt_id", "chosen_trace_id", "rejected_trace_id", "margin", "p_chosen", "chosen_rating",
    "rejected_rating", "curriculum_position",
)  # fmt: skip

DELIMITERS = [
    "<think>", "</think>", "[THINK]", "[/THINK]", "<|begin|>", "<|end|>", "<|start|>", "<|channel|>", "<|message|>",
    "<|channel|>analysis<|message|>", "<|start|>assistant<|channel|>final<|message|>", "<thi", "</thi", "<Think>",
]  # fmt: skip
WORDS = [
    "2+3",
    "so",
    "é",
    "e\u0301",
    "5.",
    "<b>",
    "`",
    "{{ x }}",
    "{%",
    "日",
    "\U0001f600",
    "\\boxed{5}",
    "\x00",
    "\x1b",
]
SPACES = [" ", "\n", "\n\n", "\t", "\r\n", "\ufeff", "\u2028", "\u00a0"]
TEXTS = st.lists(st.sampled_from([*DELIMITERS, *WORDS, *SPACES]), max_size=9).map("".join)
PLAIN = st.lists(st.sampled_from([*WORDS, *SPACES]), max_size=6).map("".join)
RULES = [
    None, *({"kind": kind, "opens_in_prompt": opens, "closing": closing} for kind in ("think", "mistral")
            for opens in (None, True) for closing in ("first", "last")),
    {"kind": "delimiters", "opens": "<|begin|>", "closes": "<|end|>"},
    {"kind": "delimiters", "opens": "2+3", "closes": "so", "opens_in_prompt": True},
]  # fmt: skip


def rule_of(body: dict[str, Any] | None) -> Rule | None:
    return None if body is None else TypeAdapter[Rule](Rule).validate_python(body)


def seen(text: str | None) -> str:
    """The characters of a text that are no blanks."""
    return "".join(one for one in text or "" if one not in BLANK)


@given(TEXTS, st.sampled_from(RULES), st.sampled_from(["stop", "length", "content_filter", "repetition"]))
def test_every_character_of_a_reply_is_reasoning_answer_or_a_delimiter(
    text: str, body: dict[str, Any] | None, ending: str
) -> None:
    rule = rule_of(body)
    got = split(Reply(text, ending), rule)
    opens, closes = ("", "") if rule is None else map(seen, rule.marks)
    made = {
        f"{first}{seen(got.reasoning)}{last}{seen(got.completion)}" for first in ("", opens) for last in ("", closes)
    }
    assert seen(text) in made and got.left_out is None
    for part in filter(None, (got.reasoning, got.completion)):
        assert part in text  # blanks within it too


@given(st.lists(st.tuples(st.sampled_from(["analysis", "final", "commentary"]), PLAIN), max_size=4), st.booleans())
def test_every_word_of_a_channel_is_reasoning_answer_or_counted(said: list[tuple[str, str]], ended: bool) -> None:
    texts = [f"<|channel|>{channel}<|message|>{words}" for channel, words in said]
    text = "<|end|><|start|>assistant".join(texts) + ("<|return|>" if ended else "")
    got = split(Reply(text, "stop"), rule_of({"kind": "harmony"}))
    of = {name: "".join(seen(words) for channel, words in said if channel == name) for name, _ in said}
    assert seen(got.reasoning) == of.get("analysis", "") and seen(got.completion) == of.get("final", "")
    assert (got.left_out or 0) >= len(of.get("commentary", ""))


@given(st.one_of(st.none(), PLAIN), st.one_of(st.none(), TEXTS), st.booleans(), st.sampled_from(RULES))
def test_reasoning_in_a_field_or_a_part_is_kept_beside_whatever_is_in_the_text(
    thought: str | None, text: str | None, in_parts: bool, body: dict[str, Any] | None
) -> None:
    message: dict[str, Any] = {"content": text, "reasoning_content": thought}
    if in_parts:
        parts: list[dict[str, Any]] = [{"type": "thinking", "thinking": thought}, {"type": "text", "text": text}]
        message = {"content": [part for part in parts if part[part["type"]] is not None]}
    reply = Reply(**read_choice({"message": message, "finish_reason": "stop"}, []))
    got, rule = split(reply, rule_of(body)), rule_of(body)
    if reply.error is not None:
        assert not seen(thought) and not seen(text)
        return
    opens, closes = ("", "") if rule is None else map(seen, rule.marks)
    parts_of_it = {
        seen(thought) + seen(text),  # the field, and the text whole
        *(
            f"{first}{seen(got.reasoning)}{last}{seen(got.completion)}"
            for first in ("", opens)
            for last in ("", closes)
        ),
    }
    whole = seen(got.reasoning) + seen(got.completion)
    assert whole == seen(thought) + seen(text) or (seen(text) in parts_of_it and seen(thought) in seen(got.reasoning))


THOUGHT = "two and three"
BLANK_FIRST: dict[str, dict[str, Any]] = {  # what holds the thought, after what says nothing and stands in its place
    "a field and details": {"reasoning": "", "reasoning_details": [{"type": "reasoning.text", "text": THOUGHT}]},
    "a blank field and details": {"thinking": " \n", "thinking_blocks": [{"type": "thinking", "thinking": THOUGHT}]},
    "two fields": {"reasoning_content": "", "reasoning": THOUGHT},
    "keys of a part": {"content": [{"type": "thinking", "text": "", "thinking": THOUGHT}, "5"]},
    "a part and a field": {"content": [{"type": "thinking", "thinking": ""}, "5"], "reasoning": THOUGHT},
    "a part and details": {
        "content": [{"type": "reasoning", "text": ""}, "5"], "reasoning_details": [{"summary": THOUGHT}],
    },
}  # fmt: skip


@pytest.mark.parametrize("case", BLANK_FIRST)
def test_a_thought_is_not_hidden_by_a_blank_that_stands_before_it(case: str) -> None:
    """As Arrow and careful writers fill what is not there with ''. Of a reply and of a file's message alike."""
    message = {"content": "5"} | BLANK_FIRST[case]
    sent = split(Reply(**read_choice({"message": message, "finish_reason": "stop"}, [])))
    assert (sent.reasoning, sent.completion) == (THOUGHT, "5")
    said = read_completion({"role": "assistant", **message})
    assert (said["reasoning_content"], said["content"]) == (THOUGHT, "5")


F, G = ({"name": name, "arguments": {"a": 1}} for name in "fg")
CALLING: dict[str, list[dict[str, Any]]] = {  # messages that are one of the assistant's, which thinks and calls f and g
    "the first call": [{"role": "tool_call", "content": F, "reasoning": THOUGHT}, {"role": "tool_call", "content": G}],
    "the second": [{"role": "tool_call", "content": F}, {"role": "tool_call", "content": G, "thinking": THOUGHT}],
    "a call that is none": [{"role": "tool_calls", "content": [F, G]}, {"role": "tool_call", "reasoning": THOUGHT}],
    "a channel": [{"role": "assistant", "channel": "analysis", "content": THOUGHT, "tool_calls": [F, G]}],
    "one thought each": [
        {"role": "function_call", "content": F, "reasoning": "two and"},
        {"role": "function_call", "content": G, "reasoning": "three"},
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", CALLING)
def test_what_is_thought_before_a_tool_is_called_is_kept_with_all_calls(case: str) -> None:
    """The kind: messages that are joined to one, of which the last or the first is kept whole."""
    *_, turn = read_messages([{"role": "user", "content": "2 + 3?"}, *CALLING[case]])
    assert turn["reasoning_content"].split() == THOUGHT.split()
    assert [call["function"]["name"] for call in turn["tool_calls"]] == ["f", "g"]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "thinking"])
def test_a_sample_of_a_list_keeps_what_stands_beside_its_text(field: str) -> None:
    said, _ = read_completions([{"index": 0, "text": "5", field: THOUGHT, "finish_reason": "stop"}, "6"])
    assert (said["content"], said["reasoning_content"], said["finish_reason"]) == ("5", THOUGHT, "stop")


SAID = st.tuples(st.one_of(st.none(), TEXTS), TEXTS)  # the reasoning and the completion of a trace


def trace_rows(said: list[tuple[str | None, str]], **columns: Any) -> pl.DataFrame:
    """Rows of `traces` that say this, numbered from 0."""
    rows = pl.DataFrame(
        {
            "trace_id": range(len(said)), "reasoning": [thought for thought, _ in said],
            "completion": [answer for _, answer in said],
        },
        schema_overrides={"trace_id": pl.Int64, "reasoning": pl.String, "completion": pl.String},
    )  # fmt: skip
    about = {"prompt_id": 7, "generator": "writer", "status": "complete", "external_id": None} | columns
    rows = rows.with_columns(**{name: pl.lit(value) for name, value in about.items()})
    return rows.cast({"prompt_id": pl.Int64, "external_id": pl.String})


def prompt_rows(messages: list[dict[str, str]]) -> pl.DataFrame:
    """The row of `prompts` of the prompt of `trace_rows`."""
    schema = empty(PROMPTS).schema
    columns = ("prompt_id", "prompt", "messages", "tools", "external_id")
    return pl.DataFrame([(7, messages, None, None, None)], {name: schema[name] for name in columns}, orient="row")


@settings(max_examples=5)  # each writes a file
@given(said=st.lists(SAID, min_size=2, max_size=6, unique_by=lambda both: (both[0] or "", both[1])))
def test_both_texts_of_a_trace_are_in_its_row_of_a_subset_to_the_character(
    said: list[tuple[str | None, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In the file, too."""
    file = tmp_path_factory.getbasetemp() / "subset.parquet"
    sides = list(permutations(range(len(said)), 2))
    schema = {name: kind for name, kind in empty(SUBSETS).schema.items() if name in PAIR_COLUMNS}
    rows = pl.DataFrame([(n, 7, *both, *[None] * 5) for n, both in enumerate(sides)], schema, orient="row")
    texts = from_frames(trace_rows(said), prompt_rows([{"role": "user", "content": "2 + 3?"}]))
    parquet.write(SUBSETS, add_messages(rows, texts), file)
    read = parquet.read(SUBSETS, file)
    assert read.height == len(sides)
    for row in read.iter_rows(named=True):
        for side in SIDES:
            thought, answer = said[row[f"{side}_trace_id"]]
            assert (row[f"{side}_reasoning"], row[side]) == (thought, [{"role": "assistant", "content": answer}])


@cache
def template(name: str) -> templates.Template:
    return templates.Template(tokenizer(), next(file for file in templates.files() if file.stem == name))


@cache
def tokenizer() -> Any:
    return weights.tokenizer(templates.STUDENT["model"], templates.STUDENT["revision"])


def in_order(target: str, *texts: str) -> bool:
    """Whether the target has the texts, one after another."""
    at = 0
    for text in texts:
        at = target.find(text, at)
        if at < 0:
            return False
        at += len(text)
    return True


@pytest.mark.slow
@given(
    st.lists(SAID, min_size=4, max_size=8),
    st.sampled_from([file.stem for file in templates.files()]),
    st.sampled_from(["reasoning_content", "thinking", "inline", "text", "drop"]),
    st.sampled_from(["complete", "truncated"]),
)
def test_both_texts_are_in_the_target_or_renderings_says_which_is_not(
    said: list[tuple[str | None, str]], name: str, way: str, status: str
) -> None:
    renderer = template(name).renderer(way)
    traces, prompts = trace_rows(said, status=status), prompt_rows([{"role": "user", "content": "2 + 3?"}])
    for row, (thought, answer) in zip(
        render_traces(renderer, traces, prompts).iter_rows(named=True), said, strict=True
    ):
        if row["fault"] is not None:
            continue
        whole = renderer.render([{"role": "user", "content": "2 + 3?"}], None, thought, answer, status == "complete")
        target = renderer.tokenizer.decode(whole.ids[whole.start :])
        parts = {
            "reasoning_kept": (thought or "").strip(), "completion_kept": answer.strip(),
        }  # fmt: skip
        kept = [text for column, text in parts.items() if text and row[column]]
        assert in_order(target, *kept), (row, target)
        if all(row[column] is not True for column in parts):
            assert not in_order(target, *filter(None, parts.values())) or not any(parts.values())
        assert [column for column, text in parts.items() if (row[column] is None) != (not text)] == []
