"""What must not leave the machine in a release: keys, local paths, names of machines; and texts whose license forbids
it.

Kinds of fault: a key that goes out in a text, a setting, a comment, the lock or the calls; a key that the message about
it shows; a key beside another that was accepted; a path, a user or a host of this machine; an example that cannot be
released at all; a license that is not asked about; a setting that is cut and was no path.
"""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import releasing
import world
from releasing import edit, make_study, release, remake, verify
from served import ran, served_params
from server import Script

from curation.exchange.release import public
from curation.tables import contracts, parquet

AWS = "AKIA" + "IOSFODNN7EXAMPLE"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small study, to be copied."""
    return make_study(tmp_path_factory.mktemp("study"))


def with_text(study: Path, text: str, to: Path) -> Path:
    """A copy of the study in which a chosen answer says this, all tables made anew."""
    copy = releasing.copy(study, to)
    edit(copy / "data/traces/large.parquet", lambda rows: rows.with_columns(pl.col("completion") + f" {text}"))
    remake(copy, ["clear"])
    return copy


def refused(study: Path, wanted: list[str], *arguments: str) -> None:
    """The release says all that is wanted, nothing of it is left, and no key is shown."""
    out = study.parent / "refused"
    done = release(study, "clear", str(out), *arguments)
    assert done.returncode == 1 and not out.exists(), done.stdout
    for words in wanted:
        assert words in done.stderr, done.stderr


def test_a_key_in_a_text_stops_a_release_until_it_is_said_to_be_none(study: Path, tmp_path: Path) -> None:
    copy = with_text(study, AWS, tmp_path / "study")
    done = release(copy, "clear", str(tmp_path / "out"))
    assert done.returncode == 1 and AWS not in done.stderr and not (tmp_path / "out").exists()
    assert "data/clear.unpaired/train-00000-of-00001.parquet: completion of row " in done.stderr
    assert "looks like a key of AWS: AKIA…, 20 characters; take it out, or --accept 1a5d44a2" in done.stderr
    done = release(copy, "clear", str(tmp_path / "out"), "--accept", "1a5d44a2")
    assert done.returncode == 0 and verify(tmp_path / "out", tmp_path).returncode == 0, done.stderr


def test_keys_and_names_of_this_machine_are_found_wherever_they_stand(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, home = "correct horse battery", tmp_path / "home/alice"
    monkeypatch.setenv("MY_KEY", secret)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(socket, "gethostname", lambda: "alices-laptop")
    copy = with_text(study, f"{secret}, {home}/x and alices-laptop", tmp_path / "study")
    raw = world.settings()
    raw["judges"]["rubric"]["endpoint"]["api_key_env"] = "MY_KEY"
    releasing.write(raw, copy / "params.yaml")
    body = (copy / "params.yaml").read_text()
    last = len(body.splitlines())
    (copy / "params.yaml").write_text(f"{body}# {copy}/notes\n# from /mnt/disk/models\n# {secret}\n")
    (copy / "dvc.lock").write_text(f"schema: '2.0'\nstages: {{}}\n# {AWS}\n")
    refused(copy, [
        "more places: looks like a key that the environment of this machine holds: corr…, 21 characters",
        f"more places: looks like a path of this machine: {home};",
        "more places: looks like the name of this machine: alices-laptop;",
        f"study/params.yaml:{last + 1}: looks like a path of this machine: {copy};",
        f"study/params.yaml:{last + 2}: looks like a local path: /mnt/disk/models;",
        "study/dvc.lock:3: looks like a key of AWS: AKIA…, 20 characters",
    ])  # fmt: skip


def test_local_paths_and_private_hosts_of_settings_stay_at_home(study: Path, tmp_path: Path) -> None:
    """In params.yaml, in dvc.lock, and on the card; what a rebuild reads is the same."""
    copy, out = releasing.copy(study, tmp_path / "study"), tmp_path / "out"
    raw = world.settings()
    raw["student"]["model"] = "/srv/models/Tiny-1B"
    raw["judges"]["rubric"]["model"] = "~/models/Judge-7B"
    raw["judges"]["rubric"]["endpoint"]["base_url"] = "http://gpu7.corp.internal:8000/v1"
    releasing.write(raw, copy / "params.yaml")
    lock = {"stages": {"train": {"cmd": "python -m stages.train {'m': '/srv/models/Tiny-1B'}", "deps": [],
                                 "params": {"params.yaml": {"student.model": "/srv/models/Tiny-1B"}},
                                 "outs": [{"path": "data/subsets"}, {"path": "data/unpaired"}]}}}  # fmt: skip
    (copy / "dvc.lock").write_text(json.dumps(lock))
    done = release(copy, "clear", str(out))
    assert done.returncode == 0, done.stderr
    assert "3 local paths and private hosts of params.yaml are cut to their last names" in done.stderr
    for file in out.rglob("*"):
        body = file.read_bytes() if file.is_file() else b""
        assert not any(word in body for word in (b"/srv", b"~/models", b"gpu7")), file
    assert (
        '"Tiny-1B"' in (out / "study/dvc.lock").read_text() and "'m': 'Tiny-1B'" in (out / "study/dvc.lock").read_text()
    )
    assert '"http://private-host:8000/v1"' in (out / "study/params.yaml").read_text()
    assert verify(out, tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        ("/home/me/set.jsonl", "set.jsonl"), ("/data/models/", "models"), ("~/x.parquet", "x.parquet"),
        ("~you/x", "x"), ("s3://ours/sets/x.jsonl", "x.jsonl"), ("gs://ours/x/", "x"), ("$HOME/sets/x", "x"),
        ("${SCRATCH}/x", "x"), ("%USERPROFILE%\\x", "x"), ("\\\\server\\share\\x.csv", "x.csv"),
        ("hf://datasets/org/x", "hf://datasets/org/x"), ("https://x.org/a", "https://x.org/a"),
        ("C:\\Users\\me\\x.csv", "x.csv"), ("file:///mnt/x", "x"), ("/a dir/x", "/a dir/x"),
        ("/no_think", "/no_think"), ("/", "/"), ("data/import/x.jsonl", "data/import/x.jsonl"), ("a ~ b", "a ~ b"),
        ("chosen.scale_b / rejected.scale_b", "chosen.scale_b / rejected.scale_b"), ("org/model", "org/model"),
        ("http://10.1.2.3:8000/v1", "http://private-host:8000/v1"), ("http://gpu7/v1", "http://private-host/v1"),
        ("http://box.lan:1/v1", "http://private-host:1/v1"), ("http://[fd00::1]:1/v1", "http://private-host:1/v1"),
        ("http://127.0.0.1:8005/v1", "http://127.0.0.1:8005/v1"), ("http://localhost/v1", "http://localhost/v1"),
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
    ],
)  # fmt: skip
def test_what_stands_for_a_local_path(text: str, stands: str) -> None:
    assert public.make_public(text) == stands


def test_a_license_that_forbids_it_stops_a_release_by_name(study: Path, tmp_path: Path) -> None:
    copy = releasing.copy(study, tmp_path / "study")

    def declare(**licenses: Any) -> None:
        releasing.write(world.settings() | {"licenses": licenses}, copy / "params.yaml")

    mit, closed = {"license": "mit"}, {"license": "their-terms", "redistribute": False}
    generators = dict.fromkeys(world.GENERATORS, mit)
    declare(sources={"sums": mit}, generators=generators | {"medium": closed})
    refused(copy, ["licenses.generators.medium: their-terms is declared with redistribute: false, and 2 rows hold"])
    declare(sources={"sums": closed})
    refused(copy, ["licenses.sources.sums: their-terms is declared with redistribute: false, and 8 rows hold texts"])
    declare(sources={"sums": mit, "letters": closed}, generators=generators | {"medium": mit})
    done = release(copy, "clear", str(tmp_path / "out"))
    assert done.returncode == 0 and "no license is declared" not in done.stderr, "of letters there is no row"
    assert "license: mit" in (tmp_path / "out/README.md").read_text()
    declare(sources={"sums": mit})
    done = release(copy, "clear", str(tmp_path / "undeclared"))
    assert "generators.large, generators.medium, generators.small: no license is declared" in done.stderr


@pytest.mark.slow
def test_the_calls_behind_the_rows_go_with_them_and_no_others(
    serve: Callable[[Script], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from served import answering

    url, folder = serve(answering).url, tmp_path / "study"
    params = served_params(folder, url, prompts=4)
    params["selections"]["all"] = params["selections"]["all"] | {"budget": {"pairs": 2}}
    releasing.save(params, folder)
    for stage in ("collect", "generate writer", "judge answer", "judge rubric", "renderings", "pair", "delta",
                  "calibrate", "reliability", "select all"):  # fmt: skip
        done = ran(folder, *f"stages.{stage}".split())
        assert done.returncode == 0, f"{stage}: {done.stderr}"
    done = release(folder, "all", str(tmp_path / "out"), "--with-calls")
    assert done.returncode == 0, done.stderr
    calls = pl.read_parquet(tmp_path / "out/study/data/recorded/calls.parquet")
    pairs = parquet.read(contracts.SUBSETS, tmp_path / "out/data/all" / releasing.ROWS)
    traces = pl.concat([pairs["chosen_trace_id"], pairs["rejected_trace_id"]]).n_unique()
    assert dict(calls["stage"].value_counts().rows()) == {"generate": traces, "judge": traces} and traces < 8
    said = {text[0]["content"] for side in ("chosen", "rejected") for text in pairs[side]}
    assert set(calls.filter(stage="generate")["text"]) == said
    again = tmp_path / "again"
    again.mkdir()
    releasing.save(params, again)
    read = ran(again, "curation", "ledger", "import", str(tmp_path / "out/study/data/recorded/calls.parquet"))
    assert f"{2 * traces} new rows read" in read.stdout
    (folder / params["ledger"]["path"]).unlink()
    done = release(folder, "all", str(tmp_path / "gone"), "--with-calls")
    assert done.returncode == 1 and "calls behind the rows have no reply in" in done.stderr, done.stderr
