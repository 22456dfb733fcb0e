"""The docs against what they are about: links, files, names, questions, recipes, figures, and lines that can be read.

Kinds of fault: a page that was moved; a module, command, column or heading that was renamed; a table of rooms or layers
that is no longer the code's; output that a page cannot show.
"""

import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from served import ran
from world import sound, write

import curation
from curation.__main__ import main
from curation.selection import shelf
from curation.tables import db

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "tests/data/README.md"])
MOST_WIDE, MOST_LONG = 100, 120  # characters of a line of code or output, and of prose
PATH = re.compile(r"`((?:curation|stages|tests|bench|docs|recipes)/[\w./<>*{}$-]+)`")
TO_SAVE = "curation/judging/judges/word_limit.py"  # the file that a reader of docs/extending.md is told to save


def lines(page: Path) -> Iterator[tuple[bool, str]]:
    """Each line of a page, and whether it is in a fenced block."""
    fenced = False
    for line in page.read_text().splitlines():
        if line.strip().startswith("```"):
            fenced = not fenced
        else:
            yield fenced, line


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return "\n".join(line for fenced, line in lines(page) if not fenced)


def anchors(page: Path) -> set[str]:
    """What a link to a heading of the page may end in."""
    headings = [line.lstrip("#").strip() for fenced, line in lines(page) if not fenced and line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def rows(page: Path, first: str) -> list[list[str]]:
    """The cells of the table whose first column is headed `first`."""
    text = page.read_text().splitlines()
    start = next(number for number, line in enumerate(text) if line.startswith(f"| {first} |"))
    table = []
    for line in text[start + 2 :]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return table


def short(page: Path) -> str:
    """The page's path, as a test's name has it."""
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        path, _, anchor = target.partition("#")
        to = page if not path else (page.parent / path).resolve()
        if "://" not in target and not (to.exists() and (not anchor or anchor in anchors(to))):
            lost.append(target)
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    """The changelog names old files too: those of the column `old`."""
    if page.name == "CHANGELOG.md":
        return
    names = [re.sub(r"<kind>|\$\{item\.kind\}|NAME", "*", name) for name in PATH.findall(prose(page))]
    assert [name for name in names if name != TO_SAVE and not list(ROOT.glob(name.rstrip("/")))] == []


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_every_name_is_in_the_file_that_it_is_said_to_be_in(page: Path) -> None:
    named = re.findall(r"`([A-Za-z_]+)`,? (?:in|of)\s+`((?:curation|stages|tests|bench)/[\w/]+\.py)`", prose(page))
    assert [pair for pair in named if not re.search(rf"\b{pair[0]}\b", (ROOT / pair[1]).read_text())] == []


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_no_line_is_too_wide_to_read(page: Path) -> None:
    code = [line for fenced, line in lines(page) if fenced and len(line) > MOST_WIDE]
    text = [line for fenced, line in lines(page) if not fenced and len(line) > MOST_LONG and not line.startswith("|")]
    assert (code, text) == ([], [])


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text()
    pages = [file.name for file in (ROOT / "docs").iterdir() if file.suffix in (".md", ".ipynb")]
    assert [name for name in pages if f"({name}" not in index and name != "README.md"] == []
    assert [name.name for name in (ROOT / "recipes").glob("*.yaml") if f"| `{name.name}` |" not in index] == []


def test_the_readme_is_a_screen_or_two_with_its_commands_first() -> None:
    text = (ROOT / "README.md").read_text()
    first_block = text.split("```")[1]
    assert len(text.splitlines()) < 120
    assert [line.split("#")[0].strip() for line in first_block.strip().splitlines()] == ["make repro", "make test"]
    assert len(re.findall(r"^\* \*\*", text.split("## ")[0], re.MULTILINE)) == 5
    assert "No effect is distinguishable from zero at this size." in text


def test_the_readme_counts_the_published_rules() -> None:
    published = [name for name, entry in shelf.entries().items() if entry.paper != "ours"]
    assert f"[{len(published)} published selection rules]" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs/results.md", ROOT / "docs/judging.md"], ids=short)
def test_every_query_of_a_page_runs_and_gives_the_columns_that_it_shows(page: Path, tmp_path: Path) -> None:
    write(sound(), tmp_path)
    block = "\n".join(line for fenced, line in lines(page) if fenced)
    queries = re.findall(r'^(?:\$ )?curation sql (?:--(?:md|csv) )?"([^"]*)"(?:\n(\|.*))?', block, re.MULTILINE)
    assert queries
    for query, head in queries:
        done = ran(tmp_path, "curation", "sql", "--md", query)
        assert done.returncode == 0, done.stderr
        assert not head or done.stdout.splitlines()[0].split() == head.split()


def test_the_questions_and_checks_of_the_pages_are_those_there_are() -> None:
    pages = [page for page in PAGES if page.name != "CHANGELOG.md"]
    asked = {name for page in pages for name in re.findall(r"-q (\w+)", page.read_text())} - {"NAME", "list"}
    assert asked <= set(db.questions())
    listed = rows(ROOT / "docs/sql.md", "question")
    asks = {name: text.splitlines()[0].removeprefix("--").strip() for name, text in db.questions().items()}
    assert dict(listed) == asks
    warned = [name for name, text in db.checks().items() if text.splitlines()[1] == "-- warning"]
    grid = ROOT / "docs/grid.md"
    assert sorted(re.findall(r"^\| (\w+_\w+) \|", grid.read_text(), re.MULTILINE)) == sorted(warned)


def test_the_commands_of_the_index_are_those_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["curation", "--help"])
    with pytest.raises(SystemExit):
        main()
    there = set(re.findall(r"^  ([\w-]+) ", capsys.readouterr().out.split("\ncommands:\n")[1], re.MULTILINE))
    index = " ".join(command for command, _ in rows(ROOT / "docs/README.md", "command"))
    assert set(re.findall(r"`curation ([\w-]+)", index)) == there


def test_the_rooms_and_their_names_are_those_of_the_code() -> None:
    table = rows(ROOT / "docs/architecture.md", "room")
    folders = {file.parent.name for file in (ROOT / "curation").glob("*/__init__.py")}
    assert {room.strip("`") for room, *_ in table} == folders
    for room, _, names in table:
        for name in re.findall(r"`([\w.]+)`", names):
            assert name.startswith(room.strip("`") + ".") and resolves(f"curation.{name}"), name
    kinds = {f"{room.strip('`')}/{folder}" for room, holds, _ in table for folder in re.findall(r"`(\w+)/`", holds)}
    assert kinds == {str(file.parent.relative_to(ROOT / "curation")) for file in (ROOT / "curation").rglob("_kind.py")}


def resolves(name: str) -> bool:
    """Whether `name` is a module, or something in one."""
    try:
        importlib.import_module(name)
    except ImportError:
        module, _, attribute = name.rpartition(".")
        return hasattr(importlib.import_module(module), attribute)
    return True


def test_the_layers_are_those_that_lint_imports_holds() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    held = next(one["layers"] for one in contracts if "containers" not in one and one["type"] == "layers")
    layers = [re.findall(r"`(\w+)`", names) for _, names in rows(ROOT / "docs/architecture.md", "layer")]
    assert [set(layer.replace("curation.", "").split(" | ")) for layer in held] == [set(names) for names in layers]


def test_the_flow_is_that_of_dvc() -> None:
    (diagram,) = re.findall(r"```mermaid\n(.*?)```", (ROOT / "docs/architecture.md").read_text(), re.DOTALL)
    stages = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"]
    arrows = [re.split(r" -->(?:\|(.*?)\|)? ", line.strip()) for line in diagram.splitlines() if "-->" in line]
    assert {end for left, _, right in arrows for end in (left, right)} == set(stages)
    for left, tables, right in arrows:
        body = stages[right].get("do", stages[right])
        for table in (tables or "").split(", ") if tables else []:
            assert any(dep.split("/")[1].removesuffix(".parquet") == table for dep in body["deps"] if "data/" in dep), (
                left,
                table,
                right,
            )


def test_the_sections_of_the_params_page_are_those_there_are() -> None:
    from curation.core.params import ALL_SECTIONS

    table = rows(ROOT / "docs/params.md", "section")
    assert sorted(section for section, *_ in table) == sorted(ALL_SECTIONS)


def test_the_controls_of_the_grid_page_are_those_of_params() -> None:
    controls = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")["controls"]
    assert [name.strip("`") for name, *_ in rows(ROOT / "docs/grid.md", "control")] == list(controls)


def test_the_citation_is_of_this_version_and_licence() -> None:
    cited = YAML(typ="safe", pure=True).load(ROOT / "CITATION.cff")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (cited["version"], cited["license"]) == (curation.__version__, project["license"])


def test_the_hooks_are_local_and_run_what_make_check_runs() -> None:
    (repo,) = YAML(typ="safe", pure=True).load(ROOT / ".pre-commit-config.yaml")["repos"]
    recipe = (ROOT / "Makefile").read_text().split("\ncheck: setup\n")[1].split("\n\n")[0].split("\n")
    ran_by_make = [line.strip().replace(" --check", "").removesuffix(" .") for line in recipe]
    assert repo["repo"] == "local"
    assert [hook["entry"].replace(" --force-exclude", "") for hook in repo["hooks"]] == ran_by_make
