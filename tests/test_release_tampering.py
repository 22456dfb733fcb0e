"""`curation verify-release` on releases that somebody changed, with SHA256SUMS as it was and forged anew.

Kinds of fault: a file changed, added, taken away or put elsewhere that passes; a row, a judgment or a setting that is
not what the rows were made of, and passes once the sums are forged; rows that `load_dataset` reads and that nothing
makes again; a name that leads out of the folder and is read; a message that does not say which row, which column and
which values; a release that other versions made refused for its bytes alone.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
import releasing
import world
from releasing import ROWS, edit, edit_params, make_study, release, seal, verify

Change = Callable[[Path], object]
JUDGED, CLEAR = "study/data/judgments", world.SELECTIONS["clear"]
PAIRS, ANSWERS = f"data/clear/{ROWS}", f"data/clear.unpaired/{ROWS}"
FIRST = pl.int_range(pl.len()) == 0


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of two selections."""
    folder = tmp_path_factory.mktemp("released")
    done = release(make_study(folder / "study"), "clear", "all", str(folder / "out"))
    assert done.returncode == 0, done.stderr
    return folder / "out"


def rows(name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Change:
    """Rows of a table that are others."""
    return lambda folder: edit(folder / name, change)


def first(**values: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """The first row has other values."""
    return lambda rows: rows.with_columns(
        pl.when(FIRST).then(pl.lit(value)).otherwise(name).cast(rows.schema[name]).alias(name)
        for name, value in values.items()
    )


def line(text: str) -> Change:
    """SHA256SUMS has one line more."""
    return lambda folder: (folder / "SHA256SUMS").write_text((folder / "SHA256SUMS").read_text() + text)


def setting(section: str, **changes: object) -> Change:
    """params.yaml says something else."""
    return lambda folder: edit_params(folder, lambda raw: raw[section].update(changes))


def turned(name: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """A column of truths is the other way round."""
    return lambda rows: rows.with_columns(pl.col(name).not_())


def locked(text: str) -> Change:
    """The lock is another."""
    return lambda folder: (folder / "study/dvc.lock").write_text(text)


def more(name: str) -> Change:
    """There is a file more."""
    return lambda folder: (folder / name).write_text("x")


def said(name: str, **changes: object) -> Change:
    """release.json says something else of its first configuration, or of itself."""

    def change(folder: Path) -> None:
        file = folder / "release.json"
        body = json.loads(file.read_text())
        (body["configs"][0] if name == "config" else body).update(changes)
        file.write_text(json.dumps(body))

    return change


SUM, MARGIN = f"{PAIRS}: its SHA-256 is ", "column margin: 9.5 here, 1.0 when rebuilt"
LOCK = "stages: {s: {outs: [{path: data/subsets/clear.parquet, hash: md5, md5: 0123}]}}"
OPEN: dict[str, tuple[Change, list[str]]] = {  # what somebody did, and what is said of it; SHA256SUMS is as it was
    "a value": (rows(PAIRS, first(margin=9.5)), [SUM, MARGIN]),
    "a setting": (setting("pair", samples="all"), ["study/params.yaml: its SHA-256 is "]),
    "a file more": (lambda out: (out / "data/more.parquet").write_text(""),
                    ["data/more.parquet: is not named by SHA256SUMS; take it out"]),
    "a file less": (lambda out: (out / "study/data/pairs.parquet").unlink(),
                    ["study/data/pairs.parquet: is missing; SHA256SUMS names it"]),
    "a link": (lambda out: [(out / "README.md").rename(out.parent / "card"),
                            (out / "README.md").symlink_to(out.parent / "card")],
               ["README.md: is a link, and a release holds files"]),
    "a folder that is a link": (lambda out: (out / "data/more").symlink_to("/"), ["data/more: is a link"]),
    "a pipe": (lambda out: [(out / "README.md").unlink(), os.mkfifo(out / "README.md")],
               ["README.md: is no plain file"]),
    "out of it": (line(f"{'0' * 64}  ../../etc/passwd\n"), ["/SHA256SUMS:", "../../etc/passwd: leads out of the rel"]),
    "from the root": (line(f"{'0' * 64}  /etc/passwd\n"), ["/etc/passwd: leads out of the release"]),
    "of Windows": (line(f"{'0' * 64}  ..\\\\x\n"), ["leads out of the release"]),
    "named twice": (line(f"{'0' * 64}  README.md\n"), ["README.md: is named twice"]),
    "not plain": (line(f"{'0' * 64}  data/./x\n"), ["data/./x: is no plain name of a file"]),
    "no line": (line("hello\n"), ["is no line of SHA256SUMS"]),
    "no sums": (lambda out: (out / "SHA256SUMS").unlink(), ["is no release, as it has no SHA256SUMS"]),
}  # fmt: skip
FORGED: dict[str, tuple[Change, list[str]]] = {  # the same where the sums were forged
    "a value": (rows(PAIRS, first(margin=9.5)), [f"{PAIRS}: row 0 (pair_id ", MARGIN]),
    "a text": (rows(PAIRS, first(chosen_reasoning="Because.")), ["column chosen_reasoning: 'Because.' here, None"]),
    "a label": (rows(ANSWERS, turned("label")), [f"{ANSWERS}: row 0 (trace_id ", "column label: "]),
    "a row less": (rows(PAIRS, lambda rows: rows.head(2)), ["2 rows here, 3 when rebuilt; row 2 (pair_id "]),
    "another's row": (lambda out: (out / PAIRS).write_bytes((out / f"data/all/{ROWS}").read_bytes()),
                      [f"{PAIRS}: row 0"]),
    "a column": (rows(PAIRS, lambda rows: rows.rename({"margin": "margins"})), ["column margin: missing from subsets"]),
    "no status": (rows(f"{JUDGED}/rubric.parquet", first(status="odd")), ["rubric.parquet: not so: status is one of "]),
    "a score": (rows(f"{JUDGED}/answer.parquet", lambda rows: rows.with_columns((1 - pl.col("score")).alias("score"))),
                ["study/data/deltas/answer.parquet: row 0 (pair_id ", " here, "]),
    "a trace": (rows("study/data/traces/large.parquet", first(completion="No.", text_id=1, completion_characters=3)),
                [" when rebuilt"]),
    "a budget": (setting("selections", clear=CLEAR | {"budget": {"pairs": 2}}),
                 ["study/data/selections/clear.parquet: row ", "column kept: True here, False when rebuilt"]),
    "a broken setting": (setting("pair", samples="some"), ["params.yaml: pair.samples: 'some' is not one of"]),
    "no Parquet": (lambda out: (out / PAIRS).write_text("PAR1"), [f"{PAIRS}: not a Parquet file"]),
    "no table": (lambda out: (out / "study/data/traces/large.parquet").unlink(), ["traces/large.parquet: no such"]),
    "no deltas": (lambda out: (out / "study/data/deltas/rubric.parquet").unlink(), ["rubric.parquet: is missing; "]),
    "no params": (lambda out: (out / "study/params.yaml").unlink(), ["params.yaml: does not exist"]),
    "a lock of other tables": (
        locked(LOCK), ["tells of another data/subsets/clear.parquet than is"]
    ),
    "a lock that is none": (locked("a: ["), ["dvc.lock: cannot be read: "]),
    "a lock that is a word": (locked("x"), ["dvc.lock: cannot be read: "]),
    "a lock of words": (locked("stages: {s: x}"), ["dvc.lock: stages.s: is no stage that ran"]),
    "a lock of outs that are none": (locked("stages: {s: {outs: [x]}}"), ["dvc.lock: stages.s: is no stage that ran"]),
    "an empty lock": (locked(""), ["dvc.lock: tells nothing of data/subsets/clear.parquet; run"]),
    "a lock of another study": (locked("stages: {s: {outs: [{path: data/pairs.parquet}]}}"),
                                ["nothing of data/subsets/clear.parquet", "nothing of data/unpaired/all.parquet"]),
    "no manifest": (lambda out: (out / "release.json").unlink(), ["release.json: cannot be read"]),
    "a manifest of something": (said("", made_by="somebody"), ["release.json: made_by: "]),
    "an unknown arm": (said("config", arm="cleer"), ["cleer: no such name; did you mean 'clear'?"]),
    "a file outside": (said("config", file="../../../etc/passwd"), ["release.json: configs.0.file: "]),
    "a row of a configuration that is left out": (lambda out: [
        edit(out / f"data/all/{ROWS}", first(margin=9.5)), (out / "study/data/selections/all.parquet").unlink(),
        said("", configs=[one for one in releasing.manifest(out)["configs"] if one["arm"] != "all"])(out),
    ], [f"data/all/{ROWS}: is of no configuration of release.json, so that it is not made again; take it out",
        "README.md: the configs of its header, which `load_dataset` reads, are not those of release.json"]),
    "rows beside": (lambda out: (out / "data/more.jsonl").write_text("{}"), ["data/more.jsonl: is of no config"]),
    "a file beside the study": (more("study/x.bin"), ["study/x.bin: is nothing that the rows are made of; take"]),
    "a table beside the study's": (more("study/data/more.parquet"), ["study/data/more.parquet: is nothing that "]),
    "deltas of no judge": (more("study/data/deltas/none.parquet"), ["deltas/none.parquet: is nothing that "]),
    "a script": (lambda out: (out / "out.py").write_text(""), ["out.py: is of no configuration of release.json"]),
    "a card that reads another file": (
        lambda out: (out / "README.md").write_text((out / "README.md").read_text().replace(PAIRS, "study/x.parquet")),
        ["README.md: the configs of its header"]),
    "a card without a header": (lambda out: (out / "README.md").write_text("# x\n"), ["README.md: the configs of its"]),
    "a header that is none": (lambda out: (out / "README.md").write_text("---\n- [\n---\n"), ["README.md: line "]),
    "a count of rows": (said("config", rows=999), [f"release.json: clear: rows: 999, and {PAIRS} has 3"]),
    "a file not named": (said("config", file="data/none.parquet"), ["data/none.parquet: is not named by SHA256SUMS"]),
}  # fmt: skip


def refused(folder: Path, wanted: list[str], here: Path) -> None:
    done = verify(folder, here)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stdout
    for words in wanted:
        assert words in done.stderr, done.stderr


@pytest.mark.parametrize("case", OPEN)
def test_what_was_changed_is_named(case: str, released: Path, tmp_path: Path) -> None:
    change, wanted = OPEN[case]
    change(folder := releasing.copy(released, tmp_path / "out"))
    refused(folder, wanted, tmp_path)


@pytest.mark.parametrize("case", FORGED)
def test_what_was_changed_is_named_though_the_sums_are_forged(case: str, released: Path, tmp_path: Path) -> None:
    change, wanted = FORGED[case]
    change(folder := releasing.copy(released, tmp_path / "out"))
    seal(folder)
    refused(folder, wanted, tmp_path)


def test_what_the_hub_and_git_put_beside_a_release_is_passed_over(released: Path, tmp_path: Path) -> None:
    folder = releasing.copy(released, tmp_path / "out")
    (folder / ".cache/huggingface").mkdir(parents=True)
    for name in (".gitattributes", ".cache/huggingface/x.lock"):
        (folder / name).write_text("x")
    assert verify(folder, tmp_path).returncode == 0
    (folder / "data/.gitattributes").write_text("x")
    refused(folder, ["data/.gitattributes: is not named by SHA256SUMS"], tmp_path)


def test_other_versions_are_said_and_pass_where_rows_are_the_same(released: Path, tmp_path: Path) -> None:
    """Parquet of other bytes and the same rows: as another version of pyarrow writes it."""
    folder = releasing.copy(released, tmp_path / "out")
    pq.write_table(pq.read_table(folder / PAIRS), folder / PAIRS, compression="gzip")
    seal(folder)
    refused(folder, [f"{PAIRS}: has the same rows when made again, and other bytes"], tmp_path)
    said("", versions={**releasing.manifest(folder)["versions"], "pyarrow": "1.0"})(folder)
    seal(folder)
    done = verify(folder, tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{PAIRS}: the same rows when made again, in other bytes: made with pyarrow 1.0, here " in done.stdout
    edit(folder / PAIRS, first(margin=9.5))
    seal(folder)
    refused(
        folder, ["column margin: 9.5 here", "it was made with other versions, which may be why: pyarrow 1.0"], tmp_path
    )


def test_what_is_no_release_is_said(tmp_path: Path) -> None:
    refused(tmp_path / "none", ["none: is no folder; name that of a release"], tmp_path)
    refused(tmp_path, ["is no release, as it has no SHA256SUMS"], tmp_path)
