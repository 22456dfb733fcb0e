"""The command line: `curation COMMAND …` runs `main` of `curation/commands/COMMAND.py`, a dash in its name an
underscore, and imports no other's."""

import importlib
import importlib.util
import sys

import curation
from curation.commands.terminal import Parser
from curation.core.errors import run
from curation.core.messages import did_you_mean
from curation.core.renamed import COMMANDS as RENAMED

COMMANDS = {
    "params": "check a params file whole",
    "plan": "what a run would ask and cost, or how long it would train; asks nothing",
    "new": "look at files of yours, and write a params.yaml that reads them",
    "preflight": "what a student would learn from the traces and arms that there are, under any model and length",
    "grade": "try an extraction and a verifier of answers on a file's lines",
    "export": "write arms and selections as the files that a trainer reads",
    "release": "write rows with all that they stand on, as a data set that others can load and verify",
    "verify-release": "whether a release is what it says, on any machine, of what it holds alone",
    "sql": "ask the tables; without SQL an interactive shell",
    "why": "a pair, a trace, a prompt, a run or a call, and why each selection keeps it or not",
    "view": "local pages over all pairs: filter, sort, search, and see each beside its why",
    "shelf": "published selections: list them, or print one for params.yaml",
    "ledger": "count, export, import, verify or prune the model calls",
    "runs": "what was trained: list it, push or pull it, or delete what no table of runs names",
    "batch": "a stage's outstanding calls as an OpenAI batch file, and its results back into the ledger",
    "aside": "what a study left in data/: move it aside for another's, bring it back, or list what was moved",
    "register": "write down what decides the primary contrast, before its results are seen",
    "diff": "what changed between two data versions, pair by pair, and what it comes from",
    "metrics": "the metrics that moved beyond their intervals between two data versions",
    "gate": "hold metrics to bounds, for a build that stops where a data version is worse than it may be",
    "eval-task": "write a benchmark as a task of lm-eval, so that both sides ask the same prompts",
    "orphans": "files of names that params.yaml no longer declares: list them, or delete them",
    "verify": "rebuild the pure tables elsewhere and compare the bytes",
}


def entry() -> None:
    """The command `curation`, which is `python -m curation`."""
    run(main)


def main() -> None:
    """Run the command that the arguments name. Exits 2, as argparse does, if there is none of that name."""
    listed = "\n".join(f"  {name:16}{text}" for name, text in COMMANDS.items())
    parser = Parser(prog="curation", description=curation.__doc__, epilog=f"commands:\n{listed}")
    parser.add_argument("--version", action="version", version=f"curation {curation.__version__}")
    parser.add_argument("command", help="one of those below; `curation COMMAND --help` says more of it")
    first = sys.argv[1:2]
    if first and first[0].startswith("-") and first[0] not in ("-h", "--help", "--version"):
        parser.error(f"{first[0]}: no such option")
    name = parser.parse_args(first).command
    if name == "help":
        return parser.print_help()
    if name in RENAMED:
        parser.error(f"{name}: is now {RENAMED[name]}")
    if name not in COMMANDS and name.isidentifier() and importlib.util.find_spec(f"stages.{name}"):
        parser.error(f"{name}: is a stage and no command; `dvc repro` runs it, `dvc stage list` names each")
    if name not in COMMANDS:
        parser.error(f"{name}: no such command{did_you_mean(name, COMMANDS)}")
    importlib.import_module(f"curation.commands.{name.replace('-', '_')}").main(sys.argv[2:])


if __name__ == "__main__":
    entry()
