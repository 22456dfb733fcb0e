"""A trace has two texts: what of a reply is reasoning, and what is the answer.

The kinds of fault: reasoning taken for an answer, an answer taken for reasoning, and words of either lost.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from curation.calls.call import Reply
from curation.calls.message import Unreadable, read_choice
from curation.core.delimiters import HARMONY as CHANNELS
from curation.models.reasoning import Rule, Texts, marks_among, split

THINK = {"kind": "think"}
INSIDE = THINK | {"opens_in_prompt": True}
LAST = THINK | {"closing": "last"}
HARMONY = {"kind": "harmony"}
OWN = {"kind": "delimiters", "opens": "<|begin_of_thought|>", "closes": "<|end_of_thought|>"}


def rule(body: dict[str, Any] | None) -> Rule | None:
    return None if body is None else TypeAdapter[Rule](Rule).validate_python(body)


def said(channel: str, text: str, end: str = "<|end|>") -> str:
    """A message of harmony that is not the first."""
    return f"<|start|>assistant<|channel|>{channel}<|message|>{text}{end}"


ANALYSIS = "<|channel|>analysis<|message|>2+3<|end|>"
FINAL = said("final", "5", "<|return|>")
Case = tuple[str, dict[str, Any] | None, str, tuple[str | None, str | None, str]]
INLINE: dict[str, Case] = {  # the text, the rule, why it ended; reasoning, completion, how it ended
    "no rule": ("<think>a</think>b", None, "stop", (None, "<think>a</think>b", "stop")),
    "no rule, blanks": (" b\n", None, "stop", (None, " b\n", "stop")),
    "a block": ("<think>\na\n</think>\n\nb\n", THINK, "stop", ("a", "b", "stop")),
    "blanks before it": ("\ufeff \n<think>a</think>b", THINK, "stop", ("a", "b", "stop")),
    "blanks inside": ("<think>a\n\n  b</think>c  d", THINK, "stop", ("a\n\n  b", "c  d", "stop")),
    "brackets": ("[THINK]a[/THINK]b", {"kind": "mistral"}, "stop", ("a", "b", "stop")),
    "own delimiters": ("<|begin_of_thought|>a<|end_of_thought|>b", OWN, "stop", ("a", "b", "stop")),
    "one delimiter for both": ("---a---b---", OWN | {"opens": "---", "closes": "---"}, "stop", ("a", "b---", "stop")),
    "another's delimiters": ("[THINK]a[/THINK]b", THINK, "stop", (None, "[THINK]a[/THINK]b", "stop")),
    "another case": ("<Think>a</Think>b", THINK, "stop", (None, "<Think>a</Think>b", "stop")),
    "no block": (" b ", THINK, "stop", (None, " b ", "stop")),
    "an empty block": ("<think>\n\n</think>\n\nb", THINK, "stop", ("", "b", "stop")),
    "nothing but an empty block": ("<think></think>", THINK, "stop", ("", "", "stop")),
    "nothing after the block": ("<think>a</think>\n", THINK, "stop", ("a", None, "unfinished")),
    "nothing after it at a limit": ("<think>a</think>", THINK, "length", ("a", None, "length")),
    "answer cut": ("<think>a</think>b", THINK, "length", ("a", "b", "length")),
    "cut while thinking": ("<think>a", THINK, "length", ("a", None, "length")),
    "cut in the closing tag": ("<think>a</thi", THINK, "length", ("a</thi", None, "length")),
    "cut after the opening tag": ("<think>", THINK, "length", ("", None, "length")),
    "never closed": ("<think>a", THINK, "stop", ("a", None, "unfinished")),
    "never closed, another ending": ("<think>a", THINK, "repetition", ("a", None, "unfinished")),
    "filtered while thinking": ("<think>a", THINK, "content_filter", ("a", None, "content_filter")),
    "words before it": ("Well. <think>a</think>b", THINK, "stop", (None, "Well. <think>a</think>b", "stop")),
    "a tag that an answer quotes": ("Close by `</think>`.", THINK, "stop", (None, "Close by `</think>`.", "stop")),
    "tags in code": ("<think>a</think>```\n<think>x</think>\n```", THINK, "stop",
                     ("a", "```\n<think>x</think>\n```", "stop")),
    "closed in the answer": ("<think>a</think>b</think>c", THINK, "stop", ("a", "b</think>c", "stop")),
    "the last closing counts": ("<think>a</think>b</think>c", LAST, "stop", ("a</think>b", "c", "stop")),
    "nested": ("<think>a<think>b</think>c</think>d", THINK, "stop", ("a<think>b", "c</think>d", "stop")),
    "nested, last": ("<think>a<think>b</think>c</think>d", LAST, "stop", ("a<think>b</think>c", "d", "stop")),
    "two blocks": ("<think>a</think><think>b</think>c", THINK, "stop", ("a", "<think>b</think>c", "stop")),
    "opened in the prompt": ("a</think>b", INSIDE, "stop", ("a", "b", "stop")),
    "closed but not declared": ("a</think>b", THINK, "stop", (None, "a</think>b", "stop")),
    "opened in both": ("<think>\na</think>b", INSIDE, "stop", ("a", "b", "stop")),
    "opened in the prompt, never closed": ("a", INSIDE, "stop", ("a", None, "unfinished")),
    "opened in the prompt, cut": ("a", INSIDE, "length", ("a", None, "length")),
    "opened in the prompt, closed at once": ("</think>b", INSIDE, "stop", ("", "b", "stop")),
    "nothing": ("", THINK, "stop", (None, "", "stop")),
    "channels": (ANALYSIS + FINAL, HARMONY, "stop", ("2+3", "5", "stop")),
    "channels, who speaks first": ("<|start|>assistant" + ANALYSIS + FINAL, HARMONY, "stop", ("2+3", "5", "stop")),
    "channels not ended": (ANALYSIS + said("final", "5", ""), HARMONY, "stop", ("2+3", "5", "stop")),
    "a channel not ended": ("<|channel|>analysis<|message|>2+3" + FINAL, HARMONY, "stop", ("2+3", "5", "stop")),
    "several analyses": (ANALYSIS + said("analysis", "is 5") + FINAL, HARMONY, "stop", ("2+3\n\nis 5", "5", "stop")),
    "final alone": (FINAL, HARMONY, "stop", (None, "5", "stop")),
    "empty analysis": ("<|channel|>analysis<|message|><|end|>" + FINAL, HARMONY, "stop", ("", "5", "stop")),
    "final of a kind": (ANALYSIS + said("final <|constrain|>json", "{}"), HARMONY, "stop", ("2+3", "{}", "stop")),
    "cut in the analysis": ("<|channel|>analysis<|message|>2+", HARMONY, "length", ("2+", None, "length")),
    "cut in a header": (ANALYSIS + "<|start|>assistant<|channel|>fin", HARMONY, "length", ("2+3", None, "length")),
    "analysis alone": (ANALYSIS, HARMONY, "stop", ("2+3", None, "unfinished")),
    "no channel but an end": ("5<|return|>", HARMONY, "stop", (None, "5", "stop")),
    "no channel": (" 5", HARMONY, "stop", (None, " 5", "stop")),
    "words before a channel": ("Well. " + FINAL, HARMONY, "stop", (None, "Well. " + said("final", "5", ""), "stop")),
    "words between channels": (ANALYSIS + "Well." + FINAL, HARMONY, "stop",
                               (None, ANALYSIS + "Well." + said("final", "5", ""), "stop")),
    "a channel that the answer quotes": (ANALYSIS + said("final", "Write <|channel|>final."), HARMONY, "stop",
                                         ("2+3", "Write <|channel|>final.", "stop")),
    "analysis in the prompt": ("2+3<|end|>" + FINAL, HARMONY | {"opens_in_prompt": True}, "stop", ("2+3", "5", "stop")),
    "analysis in the prompt, cut": ("2+", HARMONY | {"opens_in_prompt": True}, "length", ("2+", None, "length")),
}  # fmt: skip


@pytest.mark.parametrize("case", INLINE)
def test_a_text_is_split_by_the_rule_that_is_declared(case: str) -> None:
    text, by, ending, want = INLINE[case]
    texts = split(Reply(text, ending), rule(by))
    assert texts == Texts(*want)
    if want[2] == ending == "stop" and by in (THINK, INSIDE, LAST) and texts.reasoning is not None:
        inline = f"<think>{texts.reasoning}</think>{texts.completion}"
        assert split(Reply(inline, "stop"), rule(by)) == texts  # what was read can be written and read again


CALL = "<|start|>assistant<|channel|>commentary to=functions.add <|constrain|>json<|message|>{}<|call|>"
LEFT_OUT = {
    "said to the user on the way": (ANALYSIS + said("commentary", "One moment.") + FINAL, ("2+3", "5", "stop", 11)),
    "a tool called": (ANALYSIS + CALL, ("2+3", None, "tool_calls", 2)),
    "a tool called without a thought": (CALL, (None, None, "tool_calls", 2)),
    "to a tool by another header": (
        "<|start|>assistant to=functions.add<|channel|>commentary<|message|>{}<|call|>", (None, None, "tool_calls", 2),
    ),
    "a tool called in the analysis": (
        ANALYSIS + "<|start|>assistant<|channel|>analysis to=python code<|message|>2+3<|call|>",
        ("2+3", None, "tool_calls", 3),
    ),
    "another's turn": (ANALYSIS + FINAL + "<|start|>user<|message|>And 3+4?<|end|>", ("2+3", "5", "stop", 8)),
    "nothing else": (said("commentary", "One moment."), (None, None, "unfinished", 11)),
}  # fmt: skip


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_is_neither_reasoning_nor_answer_is_counted(case: str) -> None:
    """Harmony's commentary is no reasoning, and nothing to teach as an answer; it is not dropped without a word."""
    text, want = LEFT_OUT[case]
    assert split(Reply(text, "stop"), rule(HARMONY)) == Texts(*want)


WORDS = ("one,", "two.", "three!", "four 4.")
RULES = [
    None, HARMONY, HARMONY | {"opens_in_prompt": True}, {"kind": "mistral"}, OWN | {"opens": "##", "closes": "#"},
    *(THINK | {"opens_in_prompt": inside, "closing": at} for inside in (False, True) for at in ("first", "last")),
]  # fmt: skip
PIECES = [
    *WORDS, "<think>", "</think>", "[THINK]", "[/THINK]", "#", " ", "\n", "analysis", "final", "commentary",
    "assistant", *CHANNELS,
]  # fmt: skip


@given(
    st.lists(st.sampled_from(sorted(PIECES)), max_size=12),
    st.sampled_from(RULES),
    st.sampled_from(["stop", "length", "repetition"]),
    st.sampled_from([None, "", "five"]),
)
def test_no_word_of_a_reply_is_lost_unless_it_is_counted(
    pieces: list[str], by: dict[str, Any] | None, ending: str, field: str | None
) -> None:
    text = "".join(pieces)
    texts = split(Reply(text, ending, reasoning=field), rule(by))
    kept = f"{texts.reasoning or ''}{texts.completion or ''}"
    assert texts.left_out or all(kept.count(word) == text.count(word) for word in WORDS)
    assert texts.finish_reason in (ending, "unfinished", "tool_calls")
    assert texts.completion is None or texts.finish_reason == ending
    if texts.reasoning is not None:
        assert all(said is None or said == said.strip() for said in texts[:2])


FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any] | None, tuple[str | None, str | None, str]]] = {
    "a field": ({"content": "\n\nb", "reasoning_content": "\na\n"}, None, ("a", "b", "stop")),
    "a field by its other name": ({"content": "b", "reasoning": "a"}, None, ("a", "b", "stop")),
    "both, equal": ({"content": "b", "reasoning": "a", "reasoning_content": "a\n"}, None, ("a", "b", "stop")),
    "details alone": ({"content": "b", "reasoning_details": [{"type": "reasoning.text", "text": "a"}]}, None,
                      ("a", "b", "stop")),
    "details beside a summary": ({"content": "b", "reasoning": "a", "reasoning_details": [{"text": "a, at length"}]},
                                 None, ("a", "b", "stop")),
    "blocks alone": ({"content": "b", "thinking_blocks": [{"type": "thinking", "thinking": "a", "signature": "s"}]},
                     None, ("a", "b", "stop")),
    "an empty field": ({"content": "b", "reasoning": ""}, None, ("", "b", "stop")),
    "a field and no block": ({"content": "b", "reasoning": "a"}, THINK, ("a", "b", "stop")),
    "parts": ({"content": [{"type": "thinking", "thinking": "a"}, {"type": "text", "text": "b"}]}, THINK,
              ("a", "b", "stop")),
    "a tag over parts": ({"content": [{"type": "text", "text": "<thi"}, {"type": "text", "text": "nk>a</think>b"}]},
                         THINK, ("a", "b", "stop")),
    "the block sent twice": ({"content": "<think>\na\n</think>b", "reasoning": "a"}, THINK, ("a", "b", "stop")),
    "another block in the content": ({"content": "<think>c</think>b", "reasoning": "a"}, THINK,
                                     ("a", "<think>c</think>b", "stop")),
    "a tag in the content": ({"content": "b</think>", "reasoning": "a"}, INSIDE, ("a", "b</think>", "stop")),
    "an empty field and a block": ({"content": "<think>a</think>b", "reasoning": ""}, THINK, ("a", "b", "stop")),
    "an empty field, closed": ({"content": "a</think>b", "reasoning": ""}, INSIDE, ("a", "b", "stop")),
    "an empty field, and the answer": ({"content": "b", "reasoning": ""}, INSIDE, ("", "b", "stop")),
    "left in the content by a parser": ({"content": "a", "reasoning": None}, INSIDE, ("a", None, "unfinished")),
    "a field, nothing said": ({"content": None, "reasoning": "a"}, THINK, ("a", None, "unfinished")),
    "channels that a server left": ({"content": FINAL, "reasoning": "2+3"}, HARMONY, ("2+3", "5", "stop")),
    "an end that a server left": ({"content": "5<|return|>", "reasoning": "2+3"}, HARMONY, ("2+3", "5", "stop")),
    "a refusal after a thought": ({"content": None, "reasoning": "a", "refusal": "No."}, THINK,
                                  ("a", "No.", "refusal")),
    "a refusal": ({"content": None, "refusal": "No."}, INSIDE, (None, "No.", "refusal")),
    "a tool called after a thought": ({"content": "<think>a</think>", "tool_calls": [{"function": {"name": "f"}}]},
                                      THINK, ("a", None, "tool_calls")),
}  # fmt: skip


@pytest.mark.parametrize("case", FIELDS)
def test_a_field_counts_before_delimiters(case: str) -> None:
    """The server has split the reply; what it left in the content is the answer, whatever it looks like."""
    message, by, want = FIELDS[case]
    fields = read_choice({"message": {"role": "assistant"} | message, "finish_reason": "stop"}, [])
    assert split(Reply(**fields), rule(by)) == Texts(*want)


@pytest.mark.parametrize("fields", [
    {"reasoning": "a", "reasoning_content": "b"},
    {"reasoning": "a", "content": [{"type": "thinking", "thinking": "b"}]},
    {"thinking": "a", "reasoning": "b"},
])  # fmt: skip
def test_two_fields_that_differ_are_no_reply(fields: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match="hold different reasoning"):
        read_choice({"message": {"content": "x"} | fields}, [])


def test_a_failed_attempt_has_no_text() -> None:
    assert split(Reply("<think>a</think>b", "stop", error="of the schema"), rule(THINK)) == Texts(None, None, "error")


def test_the_special_tokens_that_mark_reasoning_are_known() -> None:
    """The kind of fault: marks that a tokenizer holds as special tokens dropped before any rule sees them, or others
    kept that are no words of a model. `<|end|>` ends the turn of other models than gpt-oss."""
    harmony = set(CHANNELS)
    others = {"<|endoftext|>", "<s>", "<|im_end|>", "<pad>", "<|fim_prefix|>"}
    assert marks_among(harmony | others) == harmony
    assert marks_among({"<|end|>", "<|user|>", *others}) == set()
    tags = {"[THINK]", "[/THINK]", "<think>", "</think>", "<|START_THINKING|>", "<|END_THINKING|>", "◁think▷"}
    assert marks_among(tags | others) == tags
    odd = {"kind": "delimiters", "opens": "<muse>", "closes": "</muse>"}
    assert marks_among({"<muse>", "</muse>", *others}, rule(odd)) == {"<muse>", "</muse>"}
    assert marks_among({"<muse>", *others}) == set()
    within = {"kind": "delimiters", "opens": "<|im_start|>think", "closes": "<|im_start|>answer"}
    assert marks_among({"<|im_start|>", *others}, rule(within)) == {"<|im_start|>"}


@pytest.mark.parametrize("body", [
    {"kind": "thinks"}, {"kind": "think", "opens": "<t>"}, {"kind": "delimiters", "opens": "<t>"},
    {"kind": "delimiters", "opens": " ", "closes": "</t>"}, {"kind": "think", "closing": "second"},
    {"kind": "harmony", "closing": "last"}, {"kind": "think", "opens_in_prompt": "yes"},
])  # fmt: skip
def test_a_rule_that_is_none_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        rule(body)
