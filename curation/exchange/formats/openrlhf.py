"""OpenRLHF: lists of messages, read with a prompt key. It has no KTO, and hands its template no tools."""

from curation.exchange.formats._kind import Config, Format
from curation.exchange.formats._shapes import APART, apart, notes, script
from curation.exchange.formats._traps import BLANK, IDENTICAL, TOOLS


def config(config: Config) -> dict[str, str]:
    """The command that trains."""
    options = {
        "--model.model_name_or_path": config.model,
        "--model.beta": config.settings.get("beta"),
        "--model.label_smoothing": config.flip_rate if config.loss == "conservative" else None,
        "--data.dataset": config.rows,
        "--data.prompt_key": "prompt_messages",
        "--data.chosen_key": "chosen_messages",
        "--data.rejected_key": "rejected_messages",
        "--data.apply_chat_template": True,
        "--data.max_len": config.max_length,
    }
    told = [*notes(config), "without a prompt key the whole prompt would be learnt as part of the answer"]
    words = ["deepspeed", "--module", "openrlhf.cli.train_dpo"]
    return {f"{config.stem}.sh": script(words, options, *told)}


FORMAT = Format(
    trainer="OpenRLHF 0.11.2",
    ways=("reasoning_content", "thinking", "inline", "drop"),
    rows={"dpo": apart},
    sources={"dpo": APART},
    config=config,
    traps=[IDENTICAL, BLANK, TOOLS],
    no_kto="OpenRLHF has no KTO",
)
