"""Message lists in: whatever the spelling, the file and the order of keys, what goes in comes out of `full_messages`,
and what cannot be read is one sentence that names file, row and column.

Kinds of fault: a message, a key or a call that is lost or becomes another; two spellings of one conversation that are
two prompts, or two conversations that are one; a null key on a message; a row that is matched to another conversation.
"""

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from test_imported import generator, source

from curation.calls.call import Reply
from curation.calls.ledger import Ledger
from curation.calls.message import read_choice
from curation.core.delimiters import REASONING_FIELDS, REASONING_PARTS, TEXT_PARTS
from curation.core.errors import CurationError
from curation.judging.conversation import read_problems
from curation.models.reasoning import split
from curation.prompts.collect import collect, read_sources
from curation.prompts.decontaminate import Params as Screen
from curation.tables import contracts, parquet
from curation.tables.ids import content_id
from curation.tables.messages import full_messages
from curation.tables.prompt_identity import identity
from curation.tables.user_messages import read_messages
from curation.traces.generate import generate

Message = dict[str, Any]

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
said = words.filter(lambda text: not text.lstrip().startswith("["))
names = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=3,
)
calls = st.builds(
    lambda name, arguments: {"type": "function", "function": {"name": name, "arguments": arguments}},
    names, st.dictionaries(words, values, max_size=3),
)  # fmt: skip
thoughts = words.filter(str.strip)


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    """Messages in the one form, which end in a turn that a model can answer."""
    messages: list[Message] = [{"role": "system", "content": draw(words)}] if draw(st.booleans()) else []
    messages.append({"role": "user", "content": draw(said)})
    for _ in range(draw(st.integers(0, 2))):
        turn: Message = {"role": "assistant", "content": draw(words)}
        if draw(st.booleans()):
            turn["reasoning_content"] = draw(thoughts)
        if draw(st.booleans()):
            turn["tool_calls"] = draw(st.lists(calls, min_size=1, max_size=2))
            messages += [turn, {"role": "tool", "content": draw(words)}]
        else:
            messages += [turn, {"role": "user", "content": draw(words)}]
    return messages


def as_text(message: Message) -> Message:
    """With the arguments of its calls as text, as the protocol has them."""
    if "tool_calls" not in message:
        return dict(message)
    written = [
        call | {"function": call["function"] | {"arguments": json.dumps(call["function"]["arguments"])}}
        for call in message["tool_calls"]
    ]
    return message | {"tool_calls": written}


def as_parts(message: Message) -> Message:
    """With the content in parts, the reasoning one of them."""
    text = message["content"]
    parts: list[Any] = [{"type": "text", "text": text[:3]}, text[3:]]
    if "reasoning_content" in message:
        parts.insert(0, {"type": "thinking", "thinking": message["reasoning_content"]})
    return {key: value for key, value in message.items() if key != "reasoning_content"} | {"content": parts}


KEYS = ("role", "content", "reasoning_content", "tool_calls", "name")
SHAREGPT = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}


def as_sharegpt(messages: list[Message]) -> Iterator[Message]:
    """With calls in messages of their own, where nothing is said beside them."""
    for message in messages:
        if "tool_calls" in message and not message["content"] and "reasoning_content" not in message:
            for call in message["tool_calls"]:
                yield {"from": "function_call", "value": json.dumps(call["function"])}
        else:
            left = {key: value for key, value in message.items() if key not in ("role", "content")}
            yield {"from": SHAREGPT[message["role"]], "value": message["content"], **left}


SPELLINGS: dict[str, Callable[[list[Message]], Any]] = {
    "as it is": lambda messages: messages,
    "OpenAI's": lambda messages: [
        as_text(one) | ({"content": None} if "tool_calls" in one and not one["content"] else {}) for one in messages
    ],
    "ShareGPT's": lambda messages: list(as_sharegpt(messages)),
    "in parts": lambda messages: [as_parts(one) for one in messages],
    "with null keys": lambda messages: [dict.fromkeys(KEYS) | one for one in messages],
    "keys reversed": lambda messages: [dict(reversed(one.items())) for one in messages],
    "as JSON text": json.dumps,
    "other roles": lambda messages: [
        one | {"role": {"user": "Human", "assistant": "model", "system": "developer"}.get(one["role"], "function")}
        for one in messages
    ],
    "other reasoning": lambda messages: [
        {{"reasoning_content": "thinking"}.get(key, key): value for key, value in one.items()} for one in messages
    ],
}  # fmt: skip
TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}]
TOOL_SPELLINGS = (TOOLS, json.dumps(TOOLS), [TOOLS[0]["function"]], [json.dumps(TOOLS[0])])


def save(file: Path, rows: list[dict[str, Any]]) -> str:
    """The path of a file with the rows, in the form its name says."""
    if file.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    elif file.suffix == ".json":
        file.write_text(json.dumps(rows))
    else:
        body = "".join(json.dumps(row) + "\n" for row in rows).encode()
        file.write_bytes({".gz": gzip.compress, ".zst": lambda raw: pa.compress(raw, "zstd", asbytes=True)}.get(
            file.suffix, bytes)(body))  # fmt: skip
    return str(file)


def read(path: str, **columns: Any) -> pl.DataFrame:
    """The prompts of a file, which keep to their contract."""
    prompts = read_sources({"mine": source(path, columns={"answer": None} | columns)})
    parquet.check(contracts.PROMPTS, prompts, "prompts")
    return prompts


def whole(prompts: pl.DataFrame) -> list[list[Message]]:
    """The messages of each prompt."""
    return [full_messages(*row) for row in prompts.select("prompt", "messages").iter_rows()]


quick = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

many = settings(quick, max_examples=60)


@quick
@given(conversations(), st.booleans())
def test_every_spelling_of_a_conversation_is_that_conversation(
    tmp_path: Path, messages: list[Message], tools: bool
) -> None:
    rows = [{"q": spell(messages), "t": TOOLS if tools else None} for spell in SPELLINGS.values()]
    if tools:
        rows += [{"q": messages, "t": spelled} for spelled in TOOL_SPELLINGS]
    for given_rows in (rows, rows[::-1]):
        prompts = read(save(tmp_path / "p.jsonl", given_rows), tools="t")
        assert whole(prompts) == [messages]
        assert prompts["tools"].to_list() == [json.dumps(TOOLS) if tools else None]
        assert prompts["prompt"][0].to_list() == [{key: one[key] for key in ("role", "content")} for one in messages]
    if len(messages) > 1 or tools:
        assert prompts["prompt_id"][0] == content_id("mine", identity(messages, json.dumps(TOOLS) if tools else None))
    else:
        assert prompts["prompt_id"][0] == content_id("mine", messages[0]["content"]) and prompts["messages"][0] is None


@pytest.mark.slow
@many
@given(st.lists(conversations(), min_size=1, max_size=3), st.sampled_from(["parquet", "json", "jsonl.gz", "jsonl.zst"]))
def test_every_file_gives_the_same_messages(tmp_path: Path, listed: list[list[Message]], form: str) -> None:
    """In Parquet a struct of a list has every key that one of them has, null where a message has none."""
    rows = [{"q": [as_text(one) for one in messages], "end": "?"} for messages in listed]
    for row in rows:
        if row["q"][-1]["role"] == "assistant":
            row["q"].append({"role": "user", "content": "?"})
    path = save(tmp_path / f"p.{form}", rows)
    distinct = {identity(messages): messages for messages in listed}
    assert whole(read(path)) == list(distinct.values())


@quick
@given(conversations(), words)
def test_a_column_of_system_prompts_opens_the_conversation(
    tmp_path: Path, messages: list[Message], system: str
) -> None:
    bare = [message for message in messages if message["role"] != "system"]
    path = save(tmp_path / "p.jsonl", [{"q": bare, "s": system}])
    opened = [{"role": "system", "content": system}] if system.strip() else []
    assert whole(read(path, system="s")) == [[*opened, *bare]]


def test_a_text_beside_a_system_prompt_is_a_conversation(tmp_path: Path) -> None:
    path = save(tmp_path / "p.jsonl", [{"q": "2 + 3?", "s": "Be brief."}, {"q": "2 + 3?", "s": None}])
    made = read(path, system="s")
    assert [len(prompt) for prompt in made["prompt"]] == [2, 1] and made["messages"].is_null().all()
    assert made["prompt_id"][1] == content_id("mine", "2 + 3?") != made["prompt_id"][0]


def test_arguments_in_an_arrow_map_are_an_object(tmp_path: Path) -> None:
    function = pa.struct([("name", pa.string()), ("arguments", pa.map_(pa.string(), pa.int64()))])
    message = pa.struct([("role", pa.string()), ("content", pa.string()), ("tool_calls", pa.large_list(function))])
    asked = [user("a"), {"role": "assistant", "tool_calls": [{"name": "f", "arguments": [("b", 5)]}]}, user("c")]
    pq.write_table(pa.table({"q": pa.array([asked], pa.list_(message))}), tmp_path / "p.parquet")
    (messages,) = whole(read(str(tmp_path / "p.parquet")))
    assert messages[1]["tool_calls"] == [{"type": "function", "function": {"name": "f", "arguments": {"b": 5}}}]


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"prompt": "q", "messages": "m", "completion": "c"}, "prompt and messages both name a column; one of them is"),
        ({"prompt": "q", "completion": None}, "completion"),
        ({"prompt": None, "messages": "m", "completion": "c"}, "completion"),
        ({"prompt": None, "completion": "c"}, "neither prompt, messages nor prompt_id names a column; give one"),
    ],
)
def test_what_the_columns_say_of_prompt_and_completion_is_one_thing(columns: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        generator("t.jsonl", columns=BARE | columns)
    if "completion" not in why:
        with pytest.raises(ValidationError, match="one of prompt and messages names a column, the other is null"):
            source("p.jsonl", columns={name: columns.get(name) for name in ("prompt", "messages")})


def test_what_json_has_no_word_for_is_kept_as_text(tmp_path: Path) -> None:
    asked = [user("a") | {"at": datetime(2026, 1, 2, 3, 4), "cost": Decimal("0.10")}]
    assert whole(read(save(tmp_path / "p.parquet", [{"q": asked}]))) == [
        [user("a") | {"at": "2026-01-02 03:04:00", "cost": "0.10"}]
    ]


def test_reasoning_of_earlier_turns_is_kept_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As text that says so is not."""
    quoted = [user('"reasoning_content": "x"'), assistant("b"), user("c")]
    path = save(tmp_path / "p.jsonl", [{"q": TURNS}, {"q": quoted}])
    assert whole(read(path)) == [TURNS, quoted]
    assert f"{path}: 1 prompt has reasoning in earlier turns; it is kept, and most" in capsys.readouterr().err


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str, **more: Any) -> Message:
    return {"role": "assistant", "content": text, **more}


REFUSED: dict[str, tuple[Any, str]] = {
    "another role": ([{"role": "robot", "content": "x"}], "whose message 1 has the role 'robot', which is none of sys"),
    "no role": ([user("a"), {"content": "x"}], "whose message 2 has no role"),
    "no content": ([{"role": "user"}], "whose message 1 has no content"),
    "nothing said": ([user("a"), assistant(None), user("b")], "whose message 2 has no content"),
    "a number": ([{"role": "user", "content": 5}], "whose message 1 has the content 5, which is no text"),
    "an image": (
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
        "whose message 1 has a part 1 of type 'image_url', which is no text; leave such rows out",
    ),
    "not a message": ([user("a"), "b"], "whose message 2 is 'b', not a message"),
    "two contents": ([user("a") | {"value": "b"}], "whose message 1 has a 'content' and another 'value'; keep one"),
    "two reasonings": (
        [user("a"), assistant("b", reasoning="x", thinking="y"), user("c")],
        "whose message 2 has two different reasonings; keep one of them",
    ),
    "a user's call": (
        [user("a") | {"tool_calls": [{"name": "f"}]}],
        "whose message 1 has reasoning or calls a tool, and its role is 'user', not the assistant's",
    ),
    "a call of nothing": (
        [user("a"), assistant("", tool_calls=[{"id": "1"}])],
        "whose message 2 calls [{'id': '1'}], which is no name",
    ),
    "no JSON of a call": (
        [{"from": "function_call", "value": "f(1)"}],
        "whose message 1 calls 'f(1)', which is not the JSON of a",
    ),
    "half a character": ([user("\ud800")], "whose message 1 has text with half a character (a lone surrogate)"),
    "nested too deeply": (
        [user("a"), assistant("", tool_calls=[{"name": "f", "arguments": json.loads('{"a":' * 80 + "1" + "}" * 80)}])],
        "whose message 2 has lists or objects more than 64 deep",
    ),
    "Python's repr": (str([user("a")]), "a list of messages that is no JSON; write the column with json.dumps"),
    "a key twice": ('[{"role": "user", "role": "system"}]', "a list of messages that is no JSON; write"),
    "no messages": ([], "not a list of messages"),
    "a number alone": (5, "not text or a list of messages"),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_what_is_no_message_list_is_refused_by_row_and_column(fault: str, tmp_path: Path) -> None:
    value, why = REFUSED[fault]
    path = save(tmp_path / "p.jsonl", [{"q": "Why?"}, {"q": value}])
    with pytest.raises(CurationError) as error:
        read(path)
    text = str(error.value)
    assert text.startswith(f"{path}: line 2: column 'q' (columns.prompt) is ") and why in text
    assert text.isprintable() and len(text) < 1000


@pytest.mark.parametrize(
    ("rows", "columns", "why"),
    [
        ([{"q": [user("a"), assistant("b")]}], {}, "row 0: column 'q' has a prompt that ends in a turn of the "
         "assistant's own; name the column as columns.messages, whose last turn is the answer, or leave such rows out"),
        ([{"q": [{"role": "system", "content": "a"}]}], {}, "row 0: column 'q' has no turn before the last that is"),
        ([{"m": [assistant("b")]}], {"prompt": None, "messages": "m"}, "row 0: column 'm' has no turn before the last"),
        ([{"m": "hello"}], {"prompt": None, "messages": "m"}, "line 1: column 'm' (columns.messages) is 'hello', not"),
        ([{"q": [{"role": "system", "content": "a"}, user("b")], "s": "c"}], {"system": "s"},
         "row 0: column 'q' has a system message other than that of columns.system; map one of the two"),
        ([{"q": "a", "t": "x = 5"}], {"tools": "t"},
         "line 1: column 't' (columns.tools) is 'x = 5', not the JSON of a list of tools"),
        ([{"q": "a", "t": [{"f": 1}]}], {"tools": "t"},
         "line 1: column 't' (columns.tools) is [{'f': 1}], whose tool 1"),
    ],
)  # fmt: skip
def test_what_is_no_prompt_is_refused_with_the_way_out(
    rows: list[dict[str, Any]], columns: dict[str, Any], why: str, tmp_path: Path
) -> None:
    path = save(tmp_path / "p.jsonl", rows)
    with pytest.raises(CurationError) as error:
        read(path, **columns)
    assert str(error.value).removeprefix(f"{path}: ").startswith(why)


def test_text_that_is_a_lists_json_is_said_to_be_read_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(tmp_path / "p.jsonl", [{"q": json.dumps([user("a")])}, {"q": "[1, 2]: the sum?"}])
    assert whole(read(path)) == [[user("a")], [user("[1, 2]: the sum?")]]
    assert capsys.readouterr().err == (
        f"{path}: column 'q' (columns.prompt): 1 text is the JSON of message lists, and read so\n"
    )


def test_ids_of_calls_and_keys_of_no_protocol_are_kept_and_make_no_other_prompt(tmp_path: Path) -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": {}}}
    rows = [
        {
            "q": [
                user("a") | {"at": at},
                assistant("", tool_calls=[{"id": at, **call}]),
                {"role": "tool", "content": "5"},
            ]
        }
        for at in ("x", "y")
    ]
    for given_rows in (rows, rows[::-1]):
        (messages,) = whole(read(save(tmp_path / "p.jsonl", given_rows)))
        assert messages[0] == {"role": "user", "content": "a", "at": "x"}
        assert messages[1]["tool_calls"][0]["id"] == "x"


TURNS = [{"role": "system", "content": "Be brief."}, user("2 + 3?"), assistant("5", reasoning_content="2, 3."),
         user("And 6 more?")]  # fmt: skip
BARE = {"generator": None, "sample_index": None, "family": None, "scale_b": None, "finish_reason": None}


def asked(tmp_path: Path, *prompts: list[Message], **columns: Any) -> pl.DataFrame:
    """The prompts of a source of these message lists."""
    return read(save(tmp_path / "p.jsonl", [{"q": prompt} for prompt in prompts]), **columns)


def written(path: str, prompts: pl.DataFrame, ledger: Ledger, unmatched: str = "error", **columns: Any) -> pl.DataFrame:
    """The traces of a file, which keep to their contract."""
    columns = BARE | {"prompt": None, "completion": None} | columns
    traces = generate("theirs", generator(path, columns=columns, unmatched=unmatched), prompts, ledger)
    parquet.check(contracts.TRACES, traces, "traces")
    return traces.sort("trace_id")


def test_a_conversations_last_turn_is_the_trace_wherever_its_reasoning_stands(tmp_path: Path, ledger: Ledger) -> None:
    prompts = asked(tmp_path, TURNS)
    made = []
    for key in ("reasoning_content", "reasoning", "thinking"):
        made.append(({"m": [*TURNS, assistant("11", **{key: "5 + 6"})]}, {"messages": "m"}))
    parts = [{"type": "thinking", "thinking": "5 + 6"}, {"type": "text", "text": "11"}]
    made.append(({"m": [*TURNS, {"role": "assistant", "content": parts}]}, {"messages": "m"}))
    made.append(({"m": [*TURNS, assistant("11")], "r": "5 + 6"}, {"messages": "m", "reasoning": "r"}))
    made.append(({"m": list(as_sharegpt([*TURNS, assistant("11", reasoning="5 + 6")]))}, {"messages": "m"}))
    made.append(({"q": TURNS, "c": "11", "r": "5 + 6"}, {"prompt": "q", "completion": "c", "reasoning": "r"}))
    alone = assistant("11", reasoning="5 + 6")  # as TRL's files of prompts and completions have it
    made.append(({"q": TURNS, "c": [alone]}, {"prompt": "q", "completion": "c"}))
    made.append(({"q": TURNS, "c": alone}, {"prompt": "q", "completion": "c"}))
    made.append(({"m": TURNS[1:], "s": "Be brief.", "c": "11", "r": "5 + 6"},
                 {"prompt": "m", "system": "s", "completion": "c", "reasoning": "r"}))  # fmt: skip
    traces = [
        written(save(tmp_path / f"t{n}.{form}", [row]), prompts, ledger, **columns)
        for n, (row, columns) in enumerate(made) for form in ("jsonl", "parquet")
        if form == "jsonl" or n in (0, 6, 7, 8)
    ]  # fmt: skip
    assert traces[0].select("prompt_id", "reasoning", "completion").rows() == [(prompts["prompt_id"][0], "5 + 6", "11")]
    assert all(other.equals(traces[0]) for other in traces)
    both = [{"m": [*TURNS, assistant("11", thinking="5 + 6")], "r": "6 + 5"}]
    with pytest.raises(CurationError, match="row 0: column 'r' has another reasoning than the message in 'm'; map"):
        written(save(tmp_path / "t.jsonl", both), prompts, ledger, messages="m", reasoning="r")


@pytest.mark.parametrize(("end", "status"), [("length", "truncated"), ("stop", "unfinished")])
def test_a_last_turn_that_only_reasons_has_no_completion(end: str, status: str, tmp_path: Path, ledger: Ledger) -> None:
    rows = [{"m": [user("2 + 3?"), {"role": "assistant", "content": None, "reasoning": "2 and"}], "end": end}]
    prompts = asked(tmp_path, [user("2 + 3?")])
    path = save(tmp_path / "t.jsonl", rows)
    traces = written(path, prompts, ledger, messages="m", finish_reason="end")
    assert traces.select("reasoning", "completion", "status").rows() == [("2 and", None, status)]


def test_what_is_no_conversation_is_said_before_anything_runs(tmp_path: Path) -> None:
    """By `curation params`, as what is wrong with a file's columns is."""
    path = save(tmp_path / "t.jsonl", [{"m": [user("a")]}])
    columns = BARE | {"prompt": None, "completion": None, "messages": "m"}
    assert list(source(path, columns={"answer": None, "prompt": None, "messages": "m"}).unmet(None)) == []
    assert list(generator(path, columns=columns).unmet(None)) == [
        f"path: {path}: row 0: column 'm' does not end in a turn of the assistant's, so there is no completion, as in "
        "1 row; leave them out"
    ]
    path = save(tmp_path / "t.jsonl", [{"m": [assistant("a")]}])
    (said,) = source(path, columns={"answer": None, "prompt": None, "messages": "m"}).unmet(None)
    assert said.startswith(f"path: {path}: row 0: column 'm' has no turn before the last that is not the system's")


@pytest.mark.parametrize(
    "message",
    [
        *({"content": "11", field: "5 + 6"} for field in REASONING_FIELDS),
        *(
            {"content": [{"type": kind, "text": "5 + 6"}, "1", {"type": "text", "text": "1"}]}
            for kind in REASONING_PARTS
        ),
        *(
            {"content": [{"type": "thinking", "thinking": "5 + 6"}, {"type": kind, "text": "11"}]}
            for kind in TEXT_PARTS
        ),
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "5 + 6"}]}, "11"]},
        {"content": "11", "reasoning": "5 + 6", "reasoning_content": "5 + 6"},
        {"content": "11", "reasoning": ""},
        {"content": None, "reasoning": "5 + 6"},
        {"content": "11", "reasoning_details": [{"type": "reasoning.text", "text": "5 "}, {"text": "+ 6"}]},
        {"content": "11", "reasoning": None, "reasoning_details": [{"summary": "5 + 6"}, {"data": "gAAA"}]},
        {"content": "11", "reasoning": "5 + 6", "reasoning_details": [{"text": "at length"}]},
        {"content": "11", "thinking_blocks": [{"type": "thinking", "thinking": "5 + 6", "signature": "E="}]},
        {"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "5 + 6"}]}, "11"]},
        {"content": None, "refusal": "No."},
        {"content": "", "refusal": "No."},
        {"content": "11", "refusal": ""},
        {"content": [{"type": "refusal", "refusal": "No."}]},
    ],
)
def test_a_files_message_is_read_as_a_servers(message: Message, tmp_path: Path, ledger: Ledger) -> None:
    """As a turn, and as the trace that it ends its conversation with."""
    (read_as,) = read_messages([{"role": "assistant"} | message])
    sent = read_choice({"message": message, "finish_reason": "stop"}, [])
    text = sent["refusal"] or sent["text"] or ""
    assert (read_as["content"], read_as.get("reasoning_content")) == (text, sent.get("reasoning"))
    path = save(tmp_path / "t.jsonl", [{"m": [user("a"), {"role": "assistant"} | message]}])
    traces = written(path, asked(tmp_path, [user("a")]), ledger, messages="m")
    assert traces.select("reasoning", "completion").row(0) == (sent.get("reasoning"), text or None)
    assert (traces["status"][0] == "refused") == bool(sent["refusal"])


def test_a_content_beside_another_refusal_is_not_chosen_between() -> None:
    with pytest.raises(ValueError, match="whose message 1 has a content and another refusal; keep one of them"):
        read_messages([assistant("11", refusal="No.")])


def test_channels_of_harmony_in_messages_are_reasoning_calls_and_answer(tmp_path: Path, ledger: Ledger) -> None:
    """As openai-harmony writes a conversation: never is what was thought an answer, or a turn of its own."""
    thought = {"channel": "analysis", "content": [{"type": "text", "text": "2, 3."}]}
    call = {"channel": "commentary", "recipient": "functions.add", "content": '{"a": 2}'}
    result = {"role": "tool", "name": "functions.add", "content": "5"}
    last = [{"role": "assistant", **thought}, assistant("It is 5", channel="final")]
    turns = [user("2 + 3?"), {"role": "assistant", **thought}, {"role": "assistant", **call}, result]
    path = save(tmp_path / "t.jsonl", [{"m": turns + last}, {"m": turns + last[:1]}, {"m": turns + last[1:]}])
    prompts = read(path, prompt=None, messages="m")
    (messages,) = whole(prompts)
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert (messages[1]["content"], messages[1]["reasoning_content"]) == ("", "2, 3.")
    assert [call["function"] for call in messages[1]["tool_calls"]] == [{"name": "add", "arguments": {"a": 2}}]
    traces = written(path, prompts, ledger, messages="m")
    assert sorted(traces.select("reasoning", "completion", "status").rows(), key=str) == [
        ("2, 3.", "It is 5", "complete"), ("2, 3.", None, "unfinished"), (None, "It is 5", "complete")
    ]  # fmt: skip
    with pytest.raises(ValueError, match="whose message 1 is on the channel 'commentary', so neither"):
        read_messages([assistant("Let me see.", channel="commentary")])


@pytest.mark.parametrize("form", ["jsonl", "parquet", "csv"])
def test_an_answer_that_is_the_json_of_a_message_is_its_text(
    form: str, tmp_path: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a prompt is, and said so; a whole conversation is no answer, and no list of other things is a message."""
    others = ["[1, 2]", '[{"from": "A", "to": "B"}]', "[{'value': 3}]", '[{"role": "Mayor", "from": "assistant"}, 5]']
    said = [json.dumps([assistant("11", reasoning="5 + 6")]), *others]
    rows = pl.DataFrame({"q": "a", "c": said})
    write = {"jsonl": rows.write_ndjson, "parquet": rows.write_parquet, "csv": rows.write_csv}[form]
    write(tmp_path / f"t.{form}")
    traces = written(str(tmp_path / f"t.{form}"), asked(tmp_path, [user("a")]), ledger, prompt="q", completion="c")
    assert set(traces.select("reasoning", "completion").rows()) == {("5 + 6", "11"), *((None, one) for one in others)}
    assert "(columns.completion): 1 text is the JSON of message lists, and read so" in capsys.readouterr().err
    both = [user("a"), assistant("11")]
    for value, why in {
        json.dumps(both): "more than one message; a conversation that ends in the answer is named",
        str(both): "a list of messages that is no JSON; write the column with json.dumps",
    }.items():
        path = save(tmp_path / "u.jsonl", [{"q": "a", "c": value}])
        with pytest.raises(CurationError, match=why):
            written(path, asked(tmp_path, [user("a")]), ledger, prompt="q", completion="c")


def results_of(*calls: str) -> list[Message]:
    """A conversation that asks for two cities at once; the results 3 and 5 are those of these calls."""
    asked = [
        {"id": one, "name": "weather", "arguments": {"city": city}} for one, city in (("1", "Oslo"), ("2", "Rome"))
    ]
    results = zip(calls, ("3", "5"), strict=True)
    return [user("Where?"), assistant("", tool_calls=asked),
            *({"role": "tool", "tool_call_id": call, "content": said} for call, said in results)]  # fmt: skip


def test_the_same_results_of_other_calls_are_another_prompt(tmp_path: Path) -> None:
    """Ids of calls say nothing but which result is of which call: that Oslo has 3 is another thing than that Rome has,
    to the prompt's identity as to a judge."""
    in_order, swapped = results_of("1", "2"), results_of("2", "1")
    renamed = json.loads(json.dumps(swapped).replace('"1"', '"x"').replace('"2"', '"y"'))
    without = [{key: value for key, value in one.items() if key != "tool_call_id"} for one in in_order]
    prompts = asked(tmp_path, in_order, swapped, renamed, without)
    assert prompts.height == 2
    shown = [[part.heading for part in problem.parts][-2:] for problem in read_problems(prompts).values()]
    assert sorted(shown) == [
        ["Message 3, tool", "Message 4, tool"], ["Message 3, tool, of call 2", "Message 4, tool, of call 1"]
    ]  # fmt: skip


def test_a_system_message_is_that_of_its_column_whatever_blanks_are_around(tmp_path: Path) -> None:
    opened = {"role": "system", "content": "Be brief.\n"}
    path = save(tmp_path / "p.jsonl", [{"q": [opened, user("a")], "s": "Be brief."}])
    assert whole(read(path, system="s")) == [[opened, user("a")]]


NEAR: dict[str, tuple[list[Message], str]] = {
    "another system message": ([{"role": "system", "content": "Be long."}, *TURNS[1:]], "the system message"),
    "no system message": (
        TURNS[1:],
        "the system message (this file gives none, so name its column there (columns.system or columns.messages))",
    ),
    "another earlier turn": (
        [*TURNS[:2], assistant("6", reasoning_content="2, 3."), TURNS[3]], "turn 2 of 3 (assistant)",
    ),
    "no earlier reasoning": ([*TURNS[:2], assistant("5"), TURNS[3]], "the reasoning of earlier turns"),
    "one turn only": ([TURNS[0], TURNS[3]], "the turns before the last"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NEAR)
def test_a_row_that_differs_in_an_earlier_turn_is_named_and_left_out(
    kind: str, tmp_path: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though its last message is the prompt's."""
    other, what = NEAR[kind]
    prompts = asked(tmp_path, TURNS, [user("What is 7 * 8?")])
    path = save(tmp_path / "t.jsonl", [{"q": TURNS, "c": "11"}, {"q": other, "c": "12"}])
    said = "1 of 2 rows have a prompt that is no train prompt{}; 1 of these prompts is near one train prompt and "
    said += f"differs in {what}, as in row 1"
    with pytest.raises(CurationError) as error:
        written(path, prompts, ledger, prompt="q", completion="c")
    assert str(error.value).startswith(f"{path}: {said.format(', the first is row 1')}; check the sources' columns")
    traces = written(path, prompts, ledger, "drop", prompt="q", completion="c")
    assert traces["completion"].to_list() == ["11"]
    assert capsys.readouterr().err.splitlines()[-1] == f"theirs: {path}: {said.format('')}; dropped"


def test_the_last_turn_alone_makes_no_prompt_near(tmp_path: Path, ledger: Ledger) -> None:
    prompts = asked(tmp_path, [user("a")], [user("b")])
    path = save(tmp_path / "t.jsonl", [{"q": "a", "c": "1"}, {"q": "c", "c": "2"}])
    with pytest.raises(CurationError, match="is no train prompt, the first is row 1; check the sources' columns and"):
        written(path, prompts, ledger, prompt="q", completion="c")


def test_a_conversation_of_a_prompts_id_but_of_other_turns_is_left_out(
    tmp_path: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its answer is one to another conversation; a lone text may differ, as it may be another wording."""
    path = save(tmp_path / "p.jsonl", [{"q": TURNS, "id": 1}, {"q": "7 * 8?", "id": 2}])
    prompts = read(path, prompt_id="id")
    rows = [
        {"q": TURNS, "id": 1, "c": "11"},
        {"q": [*TURNS[:2], assistant("6"), TURNS[3]], "id": 1, "c": "12"},
        {"q": "And 6 more?", "id": 1, "c": "13"},
        {"q": "Seven by eight?", "id": 2, "c": "56"},
    ]
    columns = {"prompt": "q", "completion": "c", "prompt_id": "id"}
    path = save(tmp_path / "t.jsonl", rows)
    traces = written(path, prompts, ledger, "drop", **columns)
    assert sorted(traces["completion"]) == ["11", "56"]
    err = capsys.readouterr().err
    assert "1 row has another text than the prompt of their id" in err
    assert "2 of 4 rows have other turns than the prompt of their id" in err
    with pytest.raises(
        CurationError, match="2 of 4 rows have other turns than the prompt of their id, the first is row 1"
    ):
        written(path, prompts, ledger, **columns)


CALLING = assistant("Let me see.", reasoning="5 + 6", tool_calls=[{"name": "f"}])


@pytest.mark.parametrize("mapped", ["messages", "completion"])
def test_what_ends_in_the_call_of_a_tool_is_the_row_that_a_server_would_give(
    mapped: str, tmp_path: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stops no file: the others are read, and how many are such is said."""
    prompts, turns = asked(tmp_path, TURNS), [assistant("11"), CALLING]
    columns = {"messages": {"messages": "m"}, "completion": {"prompt": "q", "completion": "c"}}[mapped]
    path = save(tmp_path / "t.jsonl", [{"m": [*TURNS, turn], "q": TURNS, "c": turn} for turn in turns])
    traces = written(path, prompts, ledger, **columns).sort("status")
    sent = split(Reply(**read_choice({"message": CALLING, "finish_reason": "stop"}, [])))
    assert traces["completion"].to_list() == ["11", None] and traces["status"].to_list() == ["complete", "no_text"]
    assert traces.select("reasoning", "completion", "finish_reason", "left_out_characters").row(1) == sent
    said = "theirs: {}: 1 of 2 rows end in the call of a tool, which is no completion; they are in no pair\n"
    assert said.format(path) in capsys.readouterr().err
    save(tmp_path / "t.jsonl", [{"m": [*TURNS, CALLING], "q": TURNS, "c": CALLING}])
    with pytest.raises(CurationError, match="every row ends in the call of a tool"):
        written(path, prompts, ledger, **columns)


def test_a_conversation_that_nobody_answers_is_left_out_and_counted(
    tmp_path: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ended by the user, by the result of a tool or by the system; the file stops where that is not to be, and where
    all are such."""
    prompts = asked(tmp_path, TURNS)
    rows = [{"m": [*TURNS, *turns]} for turns in ([assistant("11")], [], [CALLING, {"role": "tool", "content": "11"}])]
    path = save(tmp_path / "t.jsonl", rows)
    assert written(path, prompts, ledger, "drop", messages="m")["completion"].to_list() == ["11"]
    said = "2 of 3 rows do not end in a turn of the assistant's, so there is no completion; left out\n"
    assert f"theirs: {path}: {said}" in capsys.readouterr().err
    why = f"{path}: row {{}}: column 'm' does not end in a turn of the assistant's, so there is no completion, as in 2"
    for kept, way_out in ((rows, "leave them out, or set unmatched: drop"), (rows[1:], "leave them out")):
        save(tmp_path / "t.jsonl", kept)
        with pytest.raises(CurationError) as error:
            written(path, prompts, ledger, "error" if kept is rows else "drop", messages="m")
        assert str(error.value) == f"{why.format(int(kept is rows))} rows; {way_out}"


@pytest.mark.slow
@many
@given(conversations(), st.lists(st.tuples(words, thoughts | st.none()), min_size=1, max_size=3))
def test_what_goes_into_a_file_of_conversations_comes_out_as_prompt_and_traces(
    tmp_path: Path, messages: list[Message], answers: list[tuple[str, str | None]]
) -> None:
    """One file gives the prompts and the traces, as files of one data set do."""
    rows = [
        {"m": [*messages, assistant(text, **({} if thought is None else {"reasoning": thought}))]}
        for text, thought in answers
    ]
    made = []
    for given_rows in (rows, rows[::-1]):
        path = save(tmp_path / "t.jsonl", given_rows)
        prompts = read(path, prompt=None, messages="m")
        assert whole(prompts) == [messages]
        made.append(written(path, prompts, None, messages="m"))  # type: ignore[arg-type]
    assert made[0].equals(made[1])
    kept = made[0].select("completion", "reasoning").rows()
    assert sorted((text or "").strip() for text, _ in kept) == sorted(text.strip() for text, _ in answers)
    assert sorted((thought or "").strip() for _, thought in kept) == sorted((t or "").strip() for _, t in answers)


SCREEN = Screen.model_validate({
    "exact": True, "ngram": {"n": 3, "share": 0.5},
    "near_duplicates": {"shingle": 2, "permutations": 64, "threshold": 0.8, "seed": 0},
})  # fmt: skip


def reasons(tmp_path: Path, train: list[list[Message]], held: list[list[Message]]) -> list[str]:
    """The verdict on each train prompt, in its order."""
    sources = {
        name: source(save(tmp_path / f"{name}.jsonl", [{"q": prompt, "gold": "7"} for prompt in listed]), split=split,
                     columns={"answer": "gold"}, instruction="Answer.")
        for name, listed, split in (("train", train, "train"), ("held", held, "in_domain"))
    }  # fmt: skip
    verdicts = collect(sources, SCREEN).decontamination
    found = dict(verdicts.select("prompt_id", "reason").rows())
    said = [identity([*prompt[:-1], prompt[-1] | {"content": f"{prompt[-1]['content']}\nAnswer."}]) for prompt in train]
    return [found[content_id("train", text)] for text in said]


def test_a_benchmarks_question_is_found_in_any_turn_under_any_system_message(tmp_path: Path) -> None:
    long = "You are a patient tutor who explains every step of arithmetic in plain words to a child of ten years."
    asks, other = "How many apples has Ann after she buys three more", "Which of the two trains arrives first at noon"
    tutor = {"role": "system", "content": long}
    held = [[user(asks)], [tutor, user("Name the third planet from our sun")]]
    train = [
        [tutor, user(asks)],  # the same question
        [user(asks), assistant("Sure."), user("Go on")],  # most of it, in an earlier turn
        [tutor, user(other)],  # has the system message of a benchmark's prompt, and no more
        [tutor, user("What is the boiling point of water on a mountain")],
        [{"role": "system", "content": "Be brief."}, user(other)],  # the same turns under another system message
        [tutor, user(other.replace("Which", "Say which"))],  # near another
    ]
    found = reasons(tmp_path, train, held)
    assert found[:2] == ["exact", "ngram"] and found[3:5] == ["kept", "kept"]
    assert sorted([found[2], found[5]]) == ["kept", "near_duplicate"]


def test_the_same_last_message_after_other_turns_is_another_prompt(tmp_path: Path) -> None:
    """To all that compares prompts: ids, duplicates, decontamination."""
    first, second = (
        [user(text), assistant("Yes."), user("Go on.")] for text in ("Is 7 prime?", "Is it raining there?")
    )
    assert reasons(tmp_path, [first, second], [[user("Go on.")]]) == ["kept", "kept"]
    twice = {
        name: source(save(tmp_path / f"{name}.jsonl", [{"q": first}]), columns={"answer": None}) for name in ("a", "b")
    }
    with pytest.raises(CurationError, match=r"1 prompt is in two sources, the first, 'Go on.' of a, in b too"):
        collect(twice, Screen.model_validate({"exact": True, "ngram": None, "near_duplicates": None}))
