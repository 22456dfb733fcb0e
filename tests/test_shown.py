"""What the pages show of the default study is what comes out of it, over the recorded calls: answers to the queries of
README and docs, the picture, and the cells of docs/notebook.ipynb, run as Jupyter runs them.

Kinds of fault: a name that was moved or changed; an output that was not brought up to date; output too wide to read.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from served import ran

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs/notebook.ipynb"
PAGES = [ROOT / "README.md", ROOT / "docs/results.md", ROOT / "docs/judging.md"]
COMMAND = re.compile(r'^\$ (curation (?:[^\n"]|"[^"]*")+)\n((?:(?!\$ |```).*\n)*)', re.MULTILINE)
CELLS = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
RUN = """
import ast, contextlib, io, json, sys
space, shown = {"__name__": "__main__"}, []
for source in json.load(sys.stdin):
    printed, statements = io.StringIO(), ast.parse(source).body
    last = statements.pop() if isinstance(statements[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(ast.Module(statements, []), "cell", "exec"), space)
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), space) if last else None
    shown.append(printed.getvalue() + ("" if value is None else repr(value)))
print(json.dumps(shown))
"""


def shown(cell: dict[str, object]) -> str:
    """What the notebook holds as the text of a cell's outputs: what it printed, then the value of its last line."""
    outputs = cell["outputs"]
    assert isinstance(outputs, list)
    return "".join(
        "".join(one["text"] if one["output_type"] == "stream" else one["data"]["text/plain"]) for one in outputs
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the default study's tables up to a selection, of the recorded calls; nothing is trained."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "docs").mkdir()
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "data/recorded", folder / "data/recorded")
    for stage in (
        "collect", "generate smollm2-135m", "generate qwen-500m", "generate qwen-1500m", "judge answer", "judge rubric",
        "judge rubric-500m", "renderings", "pair", "prefer pairwise", "delta", "calibrate", "reliability",
        "select top_step_coherence",
    ):  # fmt: skip
        done = ran(folder, *f"stages.{stage}".split())
        assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_answer_on_a_page_is_the_tables(study: Path, page: Path) -> None:
    """Those of what was trained are left out: `comparisons` and `contrasts` are not there."""
    asked = [
        (command, shown)
        for command, shown in COMMAND.findall(page.read_text())
        if not any(table in command for table in ("comparisons", "contrasts"))
    ]
    assert asked
    for command, shown in asked:
        done = ran(study, *shlex.split(command))
        assert done.returncode == 0, done.stderr
        assert (command, done.stdout) == (command, shown)


@pytest.mark.slow
def test_the_picture_is_what_the_page_says_makes_it(study: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/results.md").read_text(), re.DOTALL)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=study, env=environment, check=True)
    from matplotlib import image

    made, shown = (image.imread(folder / "docs/img/judges.png") for folder in (study, ROOT))
    assert made.shape == shown.shape and abs(made - shown).mean() < 0.005  # a font may be drawn a little otherwise


@pytest.mark.slow
def test_every_cell_gives_what_the_notebook_shows(study: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps(["".join(cell["source"]) for cell in CELLS]),
        cwd=study / "docs",
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [shown(cell) for cell in CELLS]


def test_the_notebook_was_run_from_top_to_bottom_and_shows_no_error() -> None:
    assert [cell["execution_count"] for cell in CELLS] == list(range(1, len(CELLS) + 1))
    assert {one["output_type"] for cell in CELLS for one in cell["outputs"]} == {"stream", "execute_result"}


def test_no_line_of_it_is_too_wide_to_read() -> None:
    lines = [line for cell in CELLS for line in ("".join(cell["source"]) + "\n" + shown(cell)).splitlines()]
    assert [line for line in lines if len(line) > 100] == []
