"""docs/ten_minutes.md, as it stands: its commands are run in a fresh folder, over the files it names, and print what it
shows, where `…` stands for what is left out.

Kinds of fault: a page that the commands have outgrown; a step that only works where another study was run before.
"""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from served import PROGRESS

from curation.exchange.looking import look
from curation.exchange.roles import guess_roles

ROOT = Path(__file__).parents[1]
PAGE, FILES = ROOT / "docs/ten_minutes.md", ROOT / "tests/data/own_data"
COMMAND = re.compile(r'^\$ ((?:[^\n"]|"[^"]*")+)\n((?:(?!\$ |```).*\n)*)', re.MULTILINE)


def rows(name: str) -> list[dict[str, object]]:
    body = (FILES / name).read_bytes()
    return [json.loads(line) for line in (gzip.decompress(body) if name.endswith(".gz") else body).splitlines()]


def as_shown(text: str) -> re.Pattern[str]:
    """What `text` stands for: a line that is `…` any lines, another `…` the rest of its line."""
    parts = re.split(r"(?m)^(…\n)", text)
    return re.compile("".join(r"(?:.*\n)*?" if part == "…\n" else re.escape(part).replace("…", ".*") for part in parts))


@pytest.mark.parametrize("name", [file.name for file in sorted(FILES.iterdir())])
def test_an_id_of_several_samples_is_that_of_their_prompt(name: str) -> None:
    """The kind of fault: conversations that are told apart by their answers too, so that none of them has a prompt."""
    guess = guess_roles(look(str(FILES / name)))
    assert (guess.columns["messages"], guess.columns["prompt_id"]) == ("messages", "id")


@pytest.mark.slow
def test_every_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    for name in ("curation", "stages"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    kept = [str(file.relative_to(ROOT)) for file in ROOT.glob("data/**/.gitkeep")]
    for name in ("dvc.yaml", ".dvcignore", "params.yaml", *kept):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(FILES, tmp_path / "runs")
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(tmp_path),
        "PYTHONUNBUFFERED": "1",
    }
    subprocess.run(["dvc", "init", "-q", "--no-scm"], cwd=tmp_path, env=environment, check=True)
    commands = COMMAND.findall(PAGE.read_text())
    assert [command.split()[0] for command, _ in commands].count("dvc") == 1
    for command, shown in commands:
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        said = PROGRESS.sub("", done.stdout)  # a busy machine tells it where an idle one is done before
        assert as_shown(shown).fullmatch(said), f"$ {command}\n{said}"


def test_the_files_hold_what_recorded_models_answered() -> None:
    """Real texts: each is a recorded reply, of which the thoughts stand beside the answer."""
    recorded = ROOT / "data/recorded/reasoning_small"
    for name, generator in (
        ("qwen-1.5b.jsonl", "thinks-1500m"),
        ("qwen-0.5b.jsonl.gz", "thinks-500m"),
        ("qwen-0.5b-plain.jsonl", "answers-500m"),
    ):
        texts = pl.read_parquet(recorded / f"generate-{generator}.parquet", columns=["text"])["text"].to_list()
        whole = {" ".join(re.sub("</?think>", " ", text).split()) for text in texts}
        said = [row["messages"][-1] for row in rows(name)]  # type: ignore[index]
        parts = [" ".join(f"{one.get('reasoning_content') or ''} {one['content'] or ''}".split()) for one in said]
        assert len(parts) == 24 and set(parts) <= whole
