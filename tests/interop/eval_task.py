"""`make interop`: a benchmark of the default study as a task of lm-eval, which runs it in an environment of its own,
with a small random model; the hashes of what it asked are held against our prompts, and its log is read back."""

import hashlib
import json
import os
import shutil
import subprocess
import sys

from run import ROOT, WORK, flavours, save, set_up

from curation.exchange.measured import read_run
from curation.exchange.results import lm_eval

PACKAGES = (
    "lm-eval==0.4.13", "evaluate", "pytablewriter", "rouge-score", "sacrebleu", "sqlitedict", "word2number",
    "more_itertools", "dataproperty", "mbstrdecoder", "pathvalidate", "tabledata", "tcolorpy", "typepy", "portalocker",
    "lxml", "nltk", "absl-py", "chardet",
)  # fmt: skip
BENCHMARK = "arithmetic_held_out"


def main() -> int:
    """Print whether lm-eval asked our prompts. Returns 1 if it did not."""
    python, study = set_up("lm-eval", PACKAGES), WORK / "eval_task"
    model = save(WORK / "chatml", flavours()["chatml"]) / "model"
    shutil.rmtree(study, ignore_errors=True)
    study.mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", study)
    ours = os.environ | {"PYTHONPATH": str(ROOT)}
    for words in (["stages.collect"], ["curation", "eval-task", BENCHMARK, "--out", "task"]):
        subprocess.run([sys.executable, "-m", *words], cwd=study, check=True, env=ours, stderr=subprocess.DEVNULL)
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(study / "hub")}
    words = ["run", "--model", "hf", "--model_args", f"pretrained={model}", "--tasks", BENCHMARK, "--include_path", "."]
    words += ["--log_samples", "--output_path", "../logs", "--device", "cpu", "--batch_size", "8"]
    subprocess.run([python, "-m", "lm_eval", *words], cwd=study / "task", check=True, env=offline)
    (log,) = (study / "logs").rglob("samples_*.jsonl")
    asked = sorted(json.loads(line)["prompt_hash"] for line in log.read_text().splitlines())
    documents = [json.loads(line) for line in (study / f"task/{BENCHMARK}.jsonl").read_text().splitlines()]
    wanted = sorted(hashlib.sha256(document["prompt"].encode()).hexdigest() for document in documents)
    settings = {"kind": "lm_eval", "split": "in_domain", "task": BENCHMARK, "runs": {"baseline": "logs"}}
    rows = read_run(lm_eval.Params.model_validate(settings), BENCHMARK, str(study / "logs")).rows
    same = asked == wanted and len(rows) == len(wanted)
    print(
        f"lm-eval: {len(asked)} prompts, {'the same' if same else 'NOT the same'} by hash, {len(rows)} rows read back"
    )
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
