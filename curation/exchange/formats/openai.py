"""The hosted shape of OpenAI, Azure, Together and Fireworks: an input and two outputs, and no other key. No KTO."""

import json

from curation.calls.tool_calls import for_server
from curation.exchange.formats._kind import Config, Example, Format, Row, Trap
from curation.exchange.formats._shapes import PAIR, without_keys
from curation.exchange.formats._traps import BLANK, EARLIER_KEY, IDENTICAL


def pair(example: Example) -> Row:
    """The messages and tools that are asked, and an output for either side."""
    chosen, rejected = example.answers
    asked: Row = {"messages": [*map(for_server, without_keys(example.messages))]}
    if example.tools is not None:
        asked |= {"tools": json.loads(example.tools), "parallel_tool_calls": True}
    return {"input": asked, "preferred_output": [chosen], "non_preferred_output": [rejected]}


def config(config: Config) -> dict[str, str]:
    """The body of a request for a job, once the file is uploaded."""
    beta = config.settings.get("beta")
    method = {"type": "dpo", "dpo": {"hyperparameters": {} if beta is None else {"beta": beta}}}
    job = {"training_file": "FILE-ID", "model": "MODEL", "method": method}
    return {f"{config.stem}.job.json": json.dumps(job, indent=2) + "\n"}


def _lacks_ids(example: Example) -> bool:
    calls = [call for message in example.messages for call in message.get("tool_calls", [])]
    results = [message for message in example.messages if message["role"] == "tool"]
    return not all("id" in call for call in calls) or not all("tool_call_id" in result for result in results)


IDS = Trap(
    "call_ids", _lacks_ids, "a server refuses a tool call or a result without an id",
    "give the source's calls their ids (id, tool_call_id)", left_out=True,
)  # fmt: skip
FORMAT = Format(
    trainer="OpenAI's file",
    ways=("inline", "drop"),
    rows={"dpo": pair},
    sources={
        "dpo": {
            "layout": PAIR["layout"] | {"chosen": "preferred_output", "rejected": "non_preferred_output"},
            "columns": {"prompt": "input.messages", "tools": "input.tools"},
        },
    },
    config=config,
    traps=[IDENTICAL, BLANK, IDS, EARLIER_KEY],
    keeps_beside=False,
    no_kto="the hosted shape has no KTO",
)
