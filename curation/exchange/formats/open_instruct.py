"""open-instruct: both sides as whole conversations. It has no KTO."""

from curation.exchange.formats._kind import Config, Format
from curation.exchange.formats._shapes import CONVERSATIONS, conversations, notes, script
from curation.exchange.formats._traps import BLANK, CALLS, EARLIER_KEY, IDENTICAL, TOOLS


def config(config: Config) -> dict[str, str]:
    """The command that trains."""
    options = {
        "--model_name_or_path": config.model,
        "--mixer_list": f"{config.rows} 1.0",
        "--max_seq_length": config.max_length,
        "--beta": config.settings.get("beta"),
    }
    told = [*notes(config), "the last turn alone is learnt; rows that max_seq_length leaves empty are dropped"]
    text = script(["accelerate", "launch", "open_instruct/dpo.py"], options, *told)
    return {f"{config.stem}.sh": text.replace(f"'{config.rows} 1.0'", f"{config.rows} 1.0")}


FORMAT = Format(
    trainer="open-instruct",
    ways=("inline", "drop"),
    rows={"dpo": conversations},
    sources={"dpo": CONVERSATIONS},
    config=config,
    traps=[IDENTICAL, BLANK, TOOLS, CALLS, EARLIER_KEY],
    no_kto="open-instruct has no KTO",
)
