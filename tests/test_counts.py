"""`curation ledger stat`: whose the calls are that a ledger holds.

Kinds of fault: a study that pays for nothing looks as if it had bought what ships beside it; the calls of a judge stand
under a name that it has no longer; what another study bought, or an earlier version of this one, counts as this one's.
"""

from pathlib import Path
from typing import Any

from conftest import Serve
from served import answering, ran, save, served_params

from curation.calls.call import Call, Reply
from curation.calls.counts import WHOSE
from curation.calls.ledger import Ledger, Params

OWN, SHIPPED, OTHER = WHOSE


def built(folder: Path, writer: str, judge: str) -> None:
    for stage in (["stages.collect"], ["stages.generate", writer], ["stages.judge", judge]):
        done = ran(folder, *stage)
        assert done.returncode == 0, done.stderr


def params_of(folder: Path, url: str, prompts: int, writer: str, judge: str, instructions: str) -> dict[str, Any]:
    params = served_params(folder, url, prompts, samples=1)
    params["generators"] = {writer: params["generators"]["writer"]}
    params["judges"] = {"answer": params["judges"]["answer"], judge: params["judges"]["rubric"]}
    params["judges"][judge]["instructions"] += instructions
    params["budget"]["prices"] = {"writer": {"prompt": 0.0, "completion": 1e6}}
    save(params, folder)
    return params


def test_calls_are_the_studys_that_asks_them_now_shipped_or_others(serve: Serve, tmp_path: Path) -> None:
    url = serve(answering).url
    params_of(tmp_path, url, 2, "writer", "rubric", "")
    built(tmp_path, "writer", "rubric")
    (tmp_path / "data/recorded").mkdir()
    assert ran(tmp_path, "curation", "ledger", "export", "data/recorded/calls.parquet").returncode == 0
    for file in (tmp_path / ".curation").glob("ledger.*"):
        file.unlink()
    (tmp_path / "data/traces/writer.parquet").unlink()
    params_of(tmp_path, url, 3, "author", "rubric", "Be strict.\n")
    built(tmp_path, "author", "rubric")
    params = params_of(tmp_path, url, 3, "author", "critic", "Be kind.\n") | {"models": {"theirs": "their/weights"}}
    save(params, tmp_path)
    file = str(tmp_path / ".curation/ledger.sqlite")
    with Ledger(Params(path=file, recorded="none", offline=True, max_failed=0.0)) as ledger:
        for model in (params["student"]["model"], "another"):
            ledger.append(Call(model, "r", [], {}, 0), Reply("5", "stop"), "evaluate", "baseline")
        ledger.append(Call(params["student"]["model"], "w", [], {}, 0), Reply("5", "stop"), "evaluate", "theirs")
    done = ran(tmp_path, "curation", "ledger", "stat")
    assert done.returncode == 0, done.stderr
    names, *rows = ([cell.strip() for cell in line.strip("│").split("┆")] for line in done.stdout.splitlines()[1:-2])
    shown = [dict(zip(names, row, strict=True)) for row in rows if row[0] in WHOSE]
    by_name = {
        (row["of"], row["stage"], row["name"]): (int(row["attempts"]), int(row["bought"]), row["usd"]) for row in shown
    }
    assert by_name == {
        (OWN, "evaluate", "baseline"): (1, 1, "0.000"),
        (OWN, "evaluate", "theirs"): (1, 1, "0.000"),
        (OWN, "generate", "author"): (3, 1, "3.000"),  # the server counts 3 tokens a reply; two of three were shipped
        (SHIPPED, "judge", "rubric"): (2, 0, "0.000"),
        (OTHER, "evaluate", "baseline"): (1, 1, "0.000"),
        (OTHER, "judge", "rubric"): (3, 3, "0.000"),
    }
    assert done.stdout.splitlines()[-1] == (
        "5 attempts of this study, 2 shipped ones that it does not ask, 4 of other studies or of earlier versions of "
        "this one"
    )
