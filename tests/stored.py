"""Runs in a store, made on the spot: real safetensors, a few bytes each."""

from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from curation.training.run_record import key_of
from curation.training.run_store import RunStore, Stored

FIGURES = {"loss": 0.5, "steps": 2.0}


def write_weights(folder: Path, fill: float = 1.0) -> Path:
    """`folder` holds an adapter of so many ones, a file of settings, and a tokenizer in a folder of its own."""
    (folder / "tokenizer").mkdir(parents=True)
    save_file({"lora_A": np.full((2, 8), fill, np.float32)}, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text('{"r": 2}\n')
    (folder / "tokenizer/tokenizer.json").write_text("{}")
    return folder


def made_of(seed: int) -> dict[str, Any]:
    """What the run of a seed is made of, as far as it matters here."""
    return {"method": {"kind": "dpo"}, "seed": seed, "rows": "sha256:é"}


def keep(store: RunStore, seed: int = 0, fill: float = 1.0) -> Stored:
    """The run of a seed, kept as a trainer keeps it."""
    key = key_of(made_of(seed))
    return store.keep(key, write_weights(store.new(key), fill), made_of(seed), FIGURES)
