"""NeMo-RL: a context and two ranked completions. It has no KTO."""

from curation.exchange.formats._kind import Config, Example, Format, Row
from curation.exchange.formats._shapes import notes, yaml
from curation.exchange.formats._traps import BLANK, CALLS, IDENTICAL, TOOLS


def pair(example: Example) -> Row:
    """The prompt as the context, the chosen side of rank 0."""
    ranked = [{"rank": rank, "completion": [answer]} for rank, answer in enumerate(example.answers)]
    return {"context": example.messages, "completions": ranked}


def config(config: Config) -> dict[str, str]:
    """What of NeMo-RL's own configuration is about these rows."""
    settings = {
        "policy": {"model_name": config.model, "max_total_sequence_length": config.max_length or 1024},
        "data": {"train": {"dataset_name": "PreferenceDataset", "data_path": config.rows}},
        "dpo": {"reference_policy_kl_penalty": config.settings.get("beta", 0.1)},
    }
    told = [
        f"uv run examples/run_dpo.py --config examples/configs/dpo.yaml, with these in it: {config.rows}",
        *notes(config),
        "a pair longer than max_total_sequence_length stays in the batch and teaches nothing",
    ]
    return {f"{config.stem}.yaml": yaml(settings, *told)}


FORMAT = Format(
    trainer="NeMo-RL",
    ways=("inline", "reasoning_content", "drop"),
    rows={"dpo": pair},
    sources={
        "dpo": {
            "layout": {"kind": "ranked", "each": "completions", "text": "completion", "rank": "rank", "rating": "rank"},
            "columns": {"prompt": "context", "row_id": "pair_id"},
        },
    },
    config=config,
    traps=[IDENTICAL, BLANK, TOOLS, CALLS],
    no_kto="NeMo-RL has no KTO",
)
