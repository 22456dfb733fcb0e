"""`curation eval-task`: a benchmark as a task of lm-eval."""

import sys
from pathlib import Path

from curation.commands.terminal import Parser
from curation.core.errors import CurationError, require_existing
from curation.core.params import read
from curation.core.text import say_count
from curation.exchange.eval_task import make_eval_task, write_eval_task
from curation.tables import contracts, parquet

ABOUT = "Write a benchmark as a task folder of lm-eval, whose prompts are those that `evaluate` asks."


def main(arguments: list[str]) -> None:
    """Write the task. Raises CurationError if it is no benchmark, or a file is there already."""
    parser = Parser(prog="curation eval-task", description=ABOUT)
    parser.add_argument("benchmark", help="a source outside the train split")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the folder that it is written to")
    given = parser.parse_args(arguments)
    study = read()
    prompts = parquet.read(
        contracts.PROMPTS, require_existing(contracts.path("prompts"), "`dvc repro collect` makes it")
    )
    task = make_eval_task(study, given.benchmark, prompts)
    if there := [name for name in task.files if (given.out / name).exists()]:
        raise CurationError(f"{given.out / there[0]}: is there already; delete it, or name another folder")
    write_eval_task(task, given.out)
    for line in task.left_out:
        print(f"warning: {given.benchmark}: {line}", file=sys.stderr)
    count = say_count(prompts.filter(source=given.benchmark).height, "prompt")
    run = f"cd {given.out} && lm_eval run --include_path . --tasks {given.benchmark} …"
    print(f"{given.out}: {count}; {run}")
