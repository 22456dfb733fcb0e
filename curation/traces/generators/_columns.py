"""Which columns of a user's file hold what of a trace."""

from pydantic import model_validator

from curation.core.params import Strict
from curation.tables import user_prompts
from curation.tables.user_values import COMPLETIONS, INDEX, KEY, REAL, TEXT, ColumnType

COLUMN_TYPES = {
    **user_prompts.COLUMN_TYPES,
    "completion": ColumnType(COMPLETIONS),
    "generator": ColumnType(TEXT),
    "sample_index": ColumnType(INDEX),
    "family": ColumnType(TEXT, nullable=True),
    "scale_b": ColumnType(REAL, nullable=True),
    "finish_reason": ColumnType(TEXT),
    "prompt_id": ColumnType(KEY),
    "trace_id": ColumnType(KEY, nullable=True),
    "reasoning": ColumnType(TEXT, nullable=True),
}


OF_ONE_SAMPLE = ("sample_index", "finish_reason", "trace_id", "reasoning")


class Columns(Strict):
    """The file's names for our columns; null where it has none. Without `generator` every row is this generator's.

    `prompt` holds texts or lists of messages, beside a `completion`; `messages` conversations, whose last turn is the
    completion. `system`, `tools` and `options` stand beside either. Where `reasoning` is given, a completion may be
    null. A list of completions holds the samples 0, 1, … of its row; then no other column may be of one sample
    (OF_ONE_SAMPLE).

    `prompt_id` and `trace_id` are ids of the file's own: rows with a `prompt_id` are of the prompt whose source has
    that id, whatever a lone text says; `trace_id` is kept as external_id. These two, `reasoning`, `messages`, `system`
    and `tools` may be left out.
    """

    prompt: str | None
    completion: str | None
    generator: str | None
    sample_index: str | None
    family: str | None
    scale_b: str | None
    finish_reason: str | None
    prompt_id: str | None = None
    trace_id: str | None = None
    reasoning: str | None = None
    messages: str | None = None
    system: str | None = None
    tools: str | None = None
    options: str | list[str] | None = None

    @model_validator(mode="after")
    def _names_prompts(self) -> "Columns":
        if self.prompt is None and self.messages is None and self.prompt_id is None:
            raise ValueError("neither prompt, messages nor prompt_id names a column; give one")
        if self.prompt is not None and self.messages is not None:
            raise ValueError("prompt and messages both name a column; one of them is null")
        if (self.completion is None) == (self.messages is None):
            raise ValueError(
                "one of completion and messages, whose last turn is one, names a column; the other is null"
            )
        return self
