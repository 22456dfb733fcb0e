"""TRL: lists of messages; tools, and what the template is told, beside them."""

from curation.exchange.formats._kind import Config, Format
from curation.exchange.formats._shapes import LABELLED, PAIR, labelled, notes, pair, yaml
from curation.exchange.formats._traps import BLANK, IDENTICAL


def config(config: Config) -> dict[str, str]:
    """A file for TRL's command line."""
    settings = {
        "model_name_or_path": config.model,
        "datasets": [{"path": "json", "data_files": config.rows, "split": "train"}],
        "max_length": config.max_length,
        **_of_labels(config),
        **{name: config.settings.get(name) for name in ("beta", "desirable_weight", "undesirable_weight")},
        "per_device_train_batch_size": config.settings.get("batch_size"),
        "output_dir": config.out,
    }
    told = [f"trl {config.method} --config {config.stem}.yaml", *notes(config)]
    if config.method == "kto":
        told.append("KTO compares a row with others of its batch: more than one a device, or its KL is of nothing")
    return {f"{config.stem}.yaml": yaml(settings, *told)}


def _of_labels(config: Config) -> dict[str, object]:
    """Its robust loss has a label smoothing; the plain one takes none."""
    return {"loss_type": ["robust"], "label_smoothing": config.flip_rate} if config.loss == "robust" else {}


FORMAT = Format(
    trainer="TRL 1.16.0",
    ways=("reasoning_content", "thinking", "inline", "drop"),
    rows={"dpo": pair, "kto": labelled},
    sources={"dpo": PAIR, "kto": LABELLED},
    config=config,
    tells_template=True,
    traps=[IDENTICAL, BLANK],
    parquet=True,
)
