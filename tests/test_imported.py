"""Bring your own traces: a user's Parquet or JSONL file, with its own column names, through collect and generate."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.core.inner_kinds import parse_verifier
from curation.judging.judge import judge
from curation.judging.judges import imported as people
from curation.prompts.collect import collect, read_sources
from curation.prompts.decontaminate import Params as Screen
from curation.prompts.sources import table
from curation.tables import contracts, parquet
from curation.tables.ids import content_id, content_ids
from curation.traces.generate import generate
from curation.traces.generators import imported

ROWS = [
    {"q": "What is 2 + 3?", "gold": "5", "by": "big", "b": 7.0, "n": 0, "text": "It is 5", "topic": "sums"},
    {"q": "What is 2 + 3?", "gold": "5", "by": "small", "b": None, "n": 0, "text": "It is 6", "topic": "sums"},
    {"q": "What is 4 * 6?", "gold": "24", "by": "big", "b": 7.0, "n": 0, "text": "It is 24", "topic": "products"},
    {"q": "What is 4 * 6?", "gold": "24", "by": "big", "b": 7.0, "n": 1, "text": "", "topic": "products"},
]
COLUMNS = {
    "prompt": "q",
    "completion": "text",
    "generator": "by",
    "sample_index": "n",
    "family": None,
    "scale_b": "b",
    "finish_reason": None,
}


def save(file: Path, rows: list[dict[str, Any]]) -> str:
    """The path of a file with the rows, in the form its name says."""
    if file.suffix == ".parquet":
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(file)
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def source(path: str, **changes: Any) -> table.Params:
    columns = {"prompt": "q", "answer": "gold", "task": None} | changes.pop("columns", {})
    body = {
        "kind": "table",
        "path": path,
        "split": "train",
        "columns": columns,
        "verifier": "math",
        "instruction": None,
    }
    return table.Params.model_validate(body | changes)


def generator(path: str, **changes: Any) -> imported.Params:
    columns = COLUMNS | changes.pop("columns", {})
    body = {
        "kind": "imported",
        "family": "mine",
        "scale_b": 1.5,
        "path": path,
        "columns": columns,
        "unmatched": "error",
    }
    return imported.Params.model_validate(body | changes)


def changed(row: int, **values: Any) -> list[dict[str, Any]]:
    """ROWS with some values of one of them changed."""
    return [one | values if number == row else one for number, one in enumerate(ROWS)]


@pytest.fixture
def prompts(tmp_path: Path) -> pl.DataFrame:
    """The two prompts of ROWS."""
    return read_sources({"mine": source(save(tmp_path / "prompts.jsonl", ROWS))})


@pytest.mark.parametrize("name", ["traces.parquet", "traces.jsonl", "traces [1].parquet"])
def test_a_file_becomes_prompts_and_traces(name: str, tmp_path: Path, ledger: Ledger) -> None:
    path = save(tmp_path / name, ROWS)
    prompts = read_sources({"mine": source(path, columns={"task": "topic"})})
    traces = generate("theirs", generator(path), prompts, ledger)
    parquet.check(contracts.PROMPTS, prompts, "prompts")
    parquet.check(contracts.TRACES, traces, "traces")
    plus, times = (content_id("mine", ROWS[row]["q"]) for row in (0, 2))
    assert prompts.select("prompt_id", "task", "answer", "verifier").rows() == [
        (plus, "sums", "5", "math"),
        (times, "products", "24", "math"),
    ]
    assert prompts["prompt"][0].to_list() == [{"role": "user", "content": "What is 2 + 3?"}]
    assert traces.select(
        "prompt_id", "generator", "sample_index", "family", "scale_b", "completion", "finish_reason", "n_tokens"
    ).rows() == [
        (plus, "big", 0, "mine", 7.0, "It is 5", "stop", None),
        (plus, "small", 0, "mine", None, "It is 6", "stop", None),
        (times, "big", 0, "mine", 7.0, "It is 24", "stop", None),
        (times, "big", 1, "mine", 7.0, "", "stop", None),
    ]
    assert traces["trace_id"].to_list() == [
        content_id(*row) for row in traces.select("prompt_id", "generator", "completion", "sample_index").rows()
    ]


def test_what_no_column_holds_comes_from_the_settings_and_from_what_the_rows_say(
    tmp_path: Path, prompts: pl.DataFrame, ledger: Ledger
) -> None:
    bare = dict.fromkeys(("generator", "sample_index", "scale_b"))
    traces = generate("theirs", generator(save(tmp_path / "traces.jsonl", ROWS), columns=bare), prompts, ledger)
    assert traces.select("generator", "scale_b").unique().rows() == [("theirs", 1.5)]
    for _, rows in traces.sort("trace_id").group_by("prompt_id"):
        assert rows["sample_index"].to_list() == [0, 1]


def test_why_a_completion_ended_is_said_in_our_words(tmp_path: Path, prompts: pl.DataFrame, ledger: Ledger) -> None:
    """The kind of fault: a text that was cut off counts as ended, because its server has another word for it."""
    said = {"MAX_TOKENS": "length", "max_tokens": "length", "end_turn": "stop", "": "stop"}
    rows = [row | {"end": end} for row, end in zip(ROWS, said, strict=True)]
    read = generator(save(tmp_path / "traces.jsonl", rows), columns={"finish_reason": "end"})
    made = dict(generate("theirs", read, prompts, ledger).select("completion", "finish_reason").rows())
    assert [made[row["text"]] for row in rows] == list(said.values())
    failed = generator(save(tmp_path / "traces.jsonl", [*rows[:3], rows[3] | {"end": "abort"}]),
                       columns={"finish_reason": "end"})  # fmt: skip
    with pytest.raises(CurationError, match=r"row 3: 'end' is 'abort', so the reply failed, as of 1 row"):
        generate("theirs", failed, prompts, ledger)


def test_both_forms_of_a_file_give_the_same_bytes(tmp_path: Path, ledger: Ledger) -> None:
    written = []
    for name in ("one.parquet", "two.jsonl"):
        path = save(tmp_path / name, ROWS)
        prompts = read_sources({"mine": source(path)})
        parquet.write(contracts.TRACES, generate("theirs", generator(path), prompts, ledger), tmp_path / f"{name}.out")
        written.append((tmp_path / f"{name}.out").read_bytes())
    assert written[0] == written[1]


def test_an_answer_may_be_missing(tmp_path: Path) -> None:
    rows = [{"q": "Why?", "gold": None}, {"q": "Who?", "gold": "me"}]
    assert read_sources({"mine": source(save(tmp_path / "prompts.jsonl", rows))})["answer"].to_list() == [None, "me"]


def test_text_in_categories_is_text(tmp_path: Path, prompts: pl.DataFrame, ledger: Ledger) -> None:
    file = tmp_path / "traces.parquet"
    pl.DataFrame(ROWS).cast({"by": pl.Categorical, "n": pl.UInt8, "b": pl.Float32}).write_parquet(file)
    assert generate("theirs", generator(str(file)), prompts, ledger)["generator"].to_list() == [
        "big",
        "small",
        "big",
        "big",
    ]


def test_an_instruction_ends_the_prompt_so_bare_traces_no_longer_match(tmp_path: Path, ledger: Ledger) -> None:
    path = save(tmp_path / "traces.jsonl", ROWS)
    prompts = read_sources({"mine": source(path, instruction="Be brief.")})
    assert prompts["prompt"][0][0]["content"] == "What is 2 + 3?\nBe brief."
    with pytest.raises(CurationError) as error:
        generate("theirs", generator(path), prompts, ledger)
    assert str(error.value) == (
        f"{path}: 4 of 4 rows have a prompt that is no train prompt, the first is row 0; "
        "check the sources' columns and instruction"
    )


@pytest.mark.parametrize(
    ("name", "rows", "said"),
    [
        (
            "t.parquet",
            changed(0, text=None),
            "column 'text' (columns.completion) is null in 1 row, the first is row 0",
        ),
        ("t.jsonl", changed(2, q=None), "column 'q' (columns.prompt) is null in 1 row, the first is row 2"),
        ("t.jsonl", changed(1, by=None), "column 'by' (columns.generator) is null in 1 row, the first is row 1"),
        ("t.parquet", [row | {"text": 5} for row in ROWS],
         "column 'text' (columns.completion) holds int64, not text or one message of the assistant's, or a list of "
         "these"),
        ("t.jsonl", changed(1, text=5), "line 2: column 'text' (columns.completion) is 5, not text or one message "
         "of the assistant's"),
        ("t.jsonl", changed(3, text=["a", 5]), "line 4: column 'text' (columns.completion) is ['a', 5], whose "
         "completion 2 is not text or one message of the assistant's"),
        ("t.jsonl", changed(3, text=["a", {"index": 1}]), "line 4: column 'text' (columns.completion) is ['a', "
         "{'index': 1}], whose completion 2 is {'index': 1}, which has no text"),
        ("t.jsonl", changed(3, text=[]), "line 4: column 'text' (columns.completion) is [], a list without a "
         "completion; leave such rows out"),
        ("t.jsonl", changed(3, text=["a", "b"]), "row 3: column 'text' holds several completions, as in 1 row, and "
         "column 'n' (columns.sample_index) is of one; set columns.sample_index: null, or give each completion a row "
         "of its own"),
        (
            "t.parquet",
            [row | {"n": "0a"} for row in ROWS],
            "row 0: column 'n' (columns.sample_index) is '0a', not a whole number",
        ),
        ("t.jsonl", changed(3, n=1.5), "line 4: column 'n' (columns.sample_index) is 1.5, not a whole number"),
        ("t.jsonl", changed(2, b="7B"), "line 3: column 'b' (columns.scale_b) is '7B', not a number"),
        (
            "t.parquet",
            changed(3, n=0),
            "rows 2 and 3 are both sample 0 of 'big' for one prompt; number the samples, or set "
            "columns.sample_index: null",
        ),
        (
            "t.parquet",
            changed(1, q="What is 1?"),
            "1 of 4 rows have a prompt that is no train prompt, the first is row 1; check the sources' columns "
            "and instruction, or set unmatched: drop, as rows of prompts that decontaminate drops need",
        ),
        ("t.jsonl", [], "is empty"),
        ("t.txt", ROWS, "not a .parquet, .jsonl, .ndjson, .json, .csv, .tsv file; text may be packed as .gz or .zst"),
    ],
)  # fmt: skip
def test_a_bad_file_of_traces_is_refused_by_row(
    name: str, rows: list[dict[str, Any]], said: str, tmp_path: Path, prompts: pl.DataFrame, ledger: Ledger
) -> None:
    path = save(tmp_path / name, rows)
    with pytest.raises(CurationError) as error:
        generate("theirs", generator(path), prompts, ledger)
    assert str(error.value) == f"{path}: {said}"


def as_choices(texts: list[str]) -> list[dict[str, Any]]:
    """As an OpenAI server gives several samples."""
    return [
        {"index": number, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for number, text in enumerate(texts)
    ]


LISTED: dict[str, Callable[[list[str]], list[Any]]] = {
    "texts": list,
    "vllm's outputs": lambda texts: [{"index": 0, "text": text, "finish_reason": "stop"} for text in texts],
    "choices": as_choices,
    "messages": lambda texts: [[{"role": "assistant", "content": text}] for text in texts],
}


@pytest.mark.parametrize("form", LISTED)
@pytest.mark.parametrize("name", ["t.parquet", "t.jsonl"])
def test_a_list_of_completions_is_the_samples_of_its_row(
    form: str, name: str, tmp_path: Path, prompts: pl.DataFrame, ledger: Ledger
) -> None:
    """With the ids of rows of their own that number them, whichever row comes first; equal texts are two samples."""
    texts = {"What is 2 + 3?": ["5", "It is 5.", "5"], "What is 4 * 6?": ["24"]}
    one = [{"q": q, "text": text, "n": n} for q, listed in texts.items() for n, text in enumerate(listed)]
    several = [{"q": q, "text": LISTED[form](listed)} for q, listed in texts.items()]
    bare = dict.fromkeys(("generator", "family", "scale_b"))
    expected = generate("theirs", generator(save(tmp_path / name, one), columns=bare), prompts, ledger)
    for rows in (several, several[::-1]):
        settings = generator(save(tmp_path / name, rows), columns=bare | {"sample_index": None})
        made = generate("theirs", settings, prompts, ledger)
        assert made.sort("trace_id").equals(expected.sort("trace_id")) and made.height == 4


def test_a_sample_of_a_list_ended_as_it_says(tmp_path: Path, prompts: pl.DataFrame, ledger: Ledger) -> None:
    """And two lists of one prompt cannot both have a first sample."""
    outputs = [{"text": "2 and", "finish_reason": "length"}, {"text": "5", "finish_reason": "stop"}, {"text": "6"}]
    bare = dict.fromkeys(("generator", "family", "scale_b", "sample_index"))
    path = save(tmp_path / "t.jsonl", [{"q": "What is 2 + 3?", "text": outputs}])
    made = generate("theirs", generator(path, columns=bare), prompts, ledger).sort("sample_index")
    assert made.select("completion", "status").rows() == [("2 and", "truncated"), ("5", "complete"), ("6", "complete")]
    save(tmp_path / "t.jsonl", [{"q": "What is 2 + 3?", "text": outputs}] * 2)
    with pytest.raises(CurationError, match="are both sample 0 of 'theirs' for one prompt; put the completions of one"):
        generate("theirs", generator(path, columns=bare), prompts, ledger)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "t.jsonl",
            b'{"q": "a", "text": "b"}\n{"q": "a"\n',
            "line 2: not JSON: Expecting ',' delimiter at character 10",
        ),
        ("t.jsonl", b'{"q": "a\xe2\x80\xa8b", "text": "c"}\n["d"]\n', "line 2: ['d'] is not a JSON object"),
        ("t.jsonl", b'{"q": "a", "text": "\xff"}\n', "line 1: not UTF-8"),
        ("t.parquet", b"PAR1", "cannot be read as parquet: "),
    ],
)
def test_a_broken_file_is_refused_by_line(
    name: str, content: bytes, said: str, tmp_path: Path, prompts: pl.DataFrame, ledger: Ledger
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    bare = dict.fromkeys(("generator", "sample_index", "scale_b"))
    with pytest.raises(CurationError) as error:
        generate("theirs", generator(str(file), columns=bare), prompts, ledger)
    assert str(error.value).startswith(f"{file}: {said}")


def test_a_missing_file_or_column_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "prompts.jsonl", [{"q": "Why?", "gold": "so"}])
    with pytest.raises(CurationError) as error:
        read_sources({"mine": source(f"{path}x")})
    assert str(error.value) == f"{path}x: does not exist; put it there, or correct the path in params.yaml"
    for file in (path, save(tmp_path / "prompts.parquet", [{"q": "Why?", "gold": "so"}])):
        with pytest.raises(CurationError) as error:
            read_sources({"mine": source(file, columns={"answer": "reference"})})
        assert str(error.value) == f"{file}: no column 'reference' (columns.answer); it has q, gold"


def test_a_prompt_with_two_answers_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "prompts.parquet", changed(3, gold="25"))
    with pytest.raises(CurationError) as error:
        read_sources({"mine": source(path)})
    assert str(error.value) == (
        f"{path}: 1 prompt has two answers, the first '24' at row 2 and '25' at row 3; keep one, or accept both: "
        "give them as a list in one row"
    )


def test_a_text_with_a_separator_holds_several_answers(tmp_path: Path) -> None:
    rows = [
        {"q": "Who?", "gold": "Bell| A. G. Bell|Bell|"},
        {"q": "When?", "gold": "1876"},
        {"q": "Why?", "gold": None},
    ]
    several = {"prompt": "q", "answer": {"column": "gold", "separator": "|"}, "task": None}
    prompts = read_sources({"mine": source(save(tmp_path / "prompts.jsonl", rows), columns=several)})
    parquet.check(contracts.PROMPTS, prompts, "prompts")
    assert prompts.select("answer", "answers").rows() == [
        ("Bell", ["Bell", "A. G. Bell"]),
        ("1876", None),
        (None, None),
    ]


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_a_list_holds_several_answers(form: str, tmp_path: Path) -> None:
    rows = [{"q": "Who?", "gold": ["Bell", "A. G. Bell", "Bell"]}, {"q": "When?", "gold": ["1876"]}]
    rows += [{"q": "Why?", "gold": None}, {"q": "Where?", "gold": []}]
    prompts = read_sources({"mine": source(save(tmp_path / f"prompts.{form}", rows))})
    parquet.check(contracts.PROMPTS, prompts, "prompts")
    assert prompts.select("answer", "answers").rows() == [
        ("Bell", ["Bell", "A. G. Bell"]),
        ("1876", None),
        (None, None),
        (None, None),
    ]
    path = save(tmp_path / f"twice.{form}", [rows[0], {"q": "Who?", "gold": ["Bell"]}])
    with pytest.raises(CurationError, match=r"two answers, the first .* at row 0 and 'Bell' at row 1; keep one, or"):
        read_sources({"mine": source(path)})


def test_texts_and_lists_may_stand_in_one_column(tmp_path: Path) -> None:
    rows = [{"q": "Who?", "gold": "Bell"}, {"q": "When?", "gold": ["1876", "March 1876"]}]
    prompts = read_sources({"mine": source(save(tmp_path / "prompts.jsonl", rows))})
    assert prompts["answers"].to_list() == [None, ["1876", "March 1876"]]


def test_a_verifiers_settings_are_in_the_table(tmp_path: Path) -> None:
    path = save(tmp_path / "prompts.parquet", ROWS)
    by_name, by_mapping = (
        read_sources({"mine": source(path, verifier=verifier)})["verifier"].unique().to_list()
        for verifier in ("math", {"kind": "math", "order": "free"})
    )
    assert by_name == by_mapping == ["math"]
    near = {"kind": "number", "tolerance": 0.01, "relative": False, "units": "ignored"}
    (verifier,) = read_sources({"mine": source(path, verifier=near)})["verifier"].unique()
    assert verifier == 'number:{"relative": false, "tolerance": 0.01, "units": "ignored"}'
    assert parse_verifier(verifier).settings.model_dump() == near
    with pytest.raises(ValidationError, match="'number' has settings to be stated; write"):
        source(path, verifier="number")
    with pytest.raises(ValidationError, match="'reasoning_gym' is the verifier of a source of that kind"):
        source(path, verifier="reasoning_gym")


SCREEN = {"exact": False, "ngram": None, "near_duplicates": None}
NEAR = {"shingle": 2, "permutations": 128, "threshold": 1.0, "seed": 0}


@pytest.mark.parametrize(
    ("split", "rule", "drops"),
    [("in_domain", "exact", {"exact": True}), ("train", "near_duplicates", {"near_duplicates": NEAR})],
)
def test_a_prompt_of_two_sources_is_decontaminated_or_refused(
    tmp_path: Path, split: str, rule: str, drops: dict[str, Any]
) -> None:
    path, other = (
        save(tmp_path / "prompts.parquet", ROWS),
        save(tmp_path / "other.jsonl", [{"q": "Why?", "gold": "so"}, ROWS[2]]),
    )
    sources = {"mine": source(path), "held_out": source(other, split=split)}
    with pytest.raises(CurationError) as error:
        collect(sources, Screen.model_validate(SCREEN))
    assert str(error.value) == (
        "1 prompt is in two sources, the first, 'What is 4 * 6?' of mine, in held_out too; "
        f"remove them from one, or let params.yaml: decontaminate.{rule} drop them"
    )
    prompts, decontamination, *_ = collect(sources, Screen.model_validate(SCREEN | drops))
    assert decontamination.filter(reason="kept").height == decontamination.height - 1
    assert prompts["prompt"].list.last().struct.field("content").is_unique().all()


def test_unmatched_rows_are_dropped_where_the_settings_say_so(
    tmp_path: Path, prompts: pl.DataFrame, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(tmp_path / "traces.jsonl", changed(1, q="What is 1?"))
    traces = generate("theirs", generator(path, unmatched="drop"), prompts, ledger)
    assert traces["completion"].to_list() == ["It is 5", "It is 24", ""]
    assert capsys.readouterr().err == f"theirs: {path}: 1 of 4 rows have a prompt that is no train prompt; dropped\n"


def test_traces_of_held_out_prompts_match_nothing(tmp_path: Path, ledger: Ledger) -> None:
    path = save(tmp_path / "traces.jsonl", ROWS)
    with pytest.raises(CurationError, match="4 of 4 rows have a prompt that is no train prompt"):
        generate(
            "theirs", generator(path, unmatched="drop"), read_sources({"mine": source(path, split="in_domain")}), ledger
        )


def test_ids_of_many_rows_are_the_ids_of_each() -> None:
    rows = pl.DataFrame({"a": [0, -5, 2**62], "b": ["", "é😀", "x\x1fy"], "c": pl.Series([0, 1, 2], dtype=pl.Int32)})
    assert content_ids(rows).to_list() == [content_id(*row) for row in rows.rows()]
    assert content_ids(rows.clear()).to_list() == []


def test_ratings_of_people_are_read_by_trace(tmp_path: Path, prompts: pl.DataFrame, ledger: Ledger) -> None:
    """A gold set: two people on one trace, one on another, nobody on the others."""
    traces = generate("theirs", generator(save(tmp_path / "traces.jsonl", ROWS)), prompts, ledger)
    first, second = traces["trace_id"][:2]
    gold = [
        {"id": first, "x": 4, "y": 1.5},
        {"id": first, "x": 5, "y": None},
        {"id": second, "x": None, "y": 2},
        {"id": 7, "x": 1, "y": 1},
    ]
    settings = people.Params(
        kind="imported",
        path=str(save(tmp_path / "gold.jsonl", gold)),
        trace_id="id",
        dimensions={"logic": "x", "tone": "y"},
        unmatched="drop",
    )
    rows = judge("gold", settings, traces, prompts, ledger)
    parquet.check(contracts.JUDGMENTS, rows, "judgments")
    scored = {row[:3]: row[3] for row in rows.select("trace_id", "dimension", "score", "repeat").rows()}
    four, five = scored[first, "logic", 4.0], scored[first, "logic", 5.0]
    assert {four, five} == {0, 1} and scored[first, "tone", 1.5] == four
    assert scored[second, "tone", 2.0] == 0
    missing = rows.filter(status="missing").select("trace_id", "dimension", "repeat").rows()
    assert sorted(missing) == sorted([(first, "tone", five), (second, "logic", 0)])
    assert set(rows.filter(~pl.col("trace_id").is_in([first, second]))["status"]) == {"no_reference"}
    with pytest.raises(
        CurationError, match=r"none\.jsonl: 1 of 1 rows are of no trace, the first has id '7'; take ids from"
    ):
        judge(
            "gold",
            settings.model_copy(update={"path": str(save(tmp_path / "none.jsonl", gold[3:]))}),
            traces,
            prompts,
            ledger,
        )


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
@pytest.mark.parametrize(("gold", "answer"), [
    ([24, 6], ["24", "6"]), ([0.5, -2.0], ["0.5", "-2.0"]), ([True, False], ["True", "False"]),
])  # fmt: skip
def test_an_answer_may_be_a_number(form: str, gold: list[Any], answer: list[str], tmp_path: Path) -> None:
    """Kind: a file of right answers as whoever wrote it had them, which is not always text."""
    rows = [{"q": f"{number}?", "gold": value} for number, value in enumerate(gold)]
    prompts = read_sources({"mine": source(save(tmp_path / f"prompts.{form}", rows))})
    assert prompts["answer"].to_list() == answer
    several = save(tmp_path / f"several.{form}", [{"q": "Which?", "gold": gold}])
    assert read_sources({"mine": source(several)})["answers"].to_list() == [answer]
