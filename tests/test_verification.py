"""Answers against references: each distinct case once, in any number of processes.

Kinds of fault: a case that is verified again for every trace that has it; a verdict that depends on how many processes
there are; a process that dies and takes the stage, or other verdicts, with it; processes that outlive a Ctrl-C.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curation.core.errors import CurationError
from curation.judging.verification import Case, verify_all

ROOT = Path(__file__).parents[1]

LOGGING = '''
import os
import time
from typing import Literal
from curation.core.params import Strict
from curation.judging.answers._kind import Verdict

class Params(Strict):
    kind: Literal["logging"]

PLAIN = Params(kind="logging")

def verify(settings, answer, reference, task, entry):
    """Says in a file that it was asked. Ends its process on `die`, takes its time on `slow`."""
    with open("asked", "a") as log:
        log.write(f"{answer} {reference}\\n")
    if answer == "die":
        os._exit(9)
    if answer.startswith("slow"):
        time.sleep(0.2)
    return Verdict(float(answer == reference), answer, reference, f"compared {len(answer)} letters")
'''
SCRIPT = """
import sys
from curation.judging.verification import Case, verify_all

if __name__ == "__main__":
    answers = sys.argv[2:] * 3
    cases = [Case(answer, reference, "logging", None) for answer in answers for reference in ("1", "2")]
    for case, verdict in sorted(verify_all(cases, "verify", int(sys.argv[1])).items()):
        print(*case, *verdict)
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with a verifier that keeps a log, and a script that asks it."""
    folder = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "curation", folder / "curation", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "curation/judging/answers/logging.py").write_text(LOGGING)
    (folder / "script.py").write_text(SCRIPT)
    return folder


def run(tree: Path, processes: int, answers: list[str]) -> tuple[list[str], list[str]]:
    """What the script prints, and what the verifier was asked."""
    (tree / "asked").unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "script.py", str(processes), *answers],
        cwd=tree, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(tree)},
    )  # fmt: skip
    return done.stdout.splitlines(), (tree / "asked").read_text().splitlines()


def test_each_case_is_asked_once(tree: Path) -> None:
    said, asked = run(tree, 1, [str(number) for number in range(100)])
    assert len(said) == len(asked) == len(set(asked)) == 200


@pytest.mark.slow
def test_processes_give_the_same_and_a_dead_one_costs_one_verdict(tree: Path) -> None:
    answers = [str(number) for number in range(100)]
    alone, _ = run(tree, 1, answers)
    beside, asked = run(tree, 2, answers)
    assert beside == alone and len(asked) == len(set(asked)) == 200
    broken, _ = run(tree, 2, [*answers, "die"])
    assert [line for line in broken if not line.startswith("die")] == alone
    why = "None die {} the verifier's process died on it; it may have run out of memory"
    assert [line for line in broken if line.startswith("die")] == [
        f"die {reference} logging None {why.format(reference)}" for reference in ("1", "2")
    ]


def test_an_unknown_verifier_is_named_before_any_process_starts() -> None:
    with pytest.raises(CurationError, match="verifier: 'maths' is not one of"):
        verify_all([Case("1", "1", "math", None), Case("1", "1", "maths", None)], "verify", 2)


@pytest.mark.slow
def test_an_interrupt_ends_all_processes(tree: Path) -> None:
    (tree / "asked").unlink(missing_ok=True)
    child = subprocess.Popen(
        [sys.executable, "script.py", "2", *(f"slow{number}" for number in range(400))],
        cwd=tree, stderr=subprocess.PIPE, env={"PYTHONPATH": str(tree)}, start_new_session=True,
    )  # fmt: skip
    while not (tree / "asked").exists():
        assert child.poll() is None
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert b"KeyboardInterrupt" in said
    for _ in range(200):  # what is left of the group ends with its parent
        try:
            os.killpg(child.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.05)
    with pytest.raises(ProcessLookupError):
        os.killpg(child.pid, 0)
