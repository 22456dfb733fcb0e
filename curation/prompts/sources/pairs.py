"""A preference set that exists: its prompts, and the responses, ratings and comparisons that its layout says."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import AfterValidator, model_validator

from curation.core.errors import CurationError, Errors
from curation.core.inner_kinds import read_layout
from curation.core.params import Strict
from curation.core.study import Study
from curation.core.text import one_line
from curation.models.reasoning import Rule
from curation.prompts.preferences.frames import read_frames
from curation.prompts.preferences.row import CARRIED
from curation.prompts.preferences.tables import PreferenceSet
from curation.prompts.preferences.transcript import Transcript
from curation.prompts.sources._distinct import TWO_ANSWERS, check_verifier, distinct_prompts, refuse_two
from curation.tables.user_datasets import is_cached
from curation.tables.user_files import MOST_READ, UserFileParams


class Columns(Strict):
    """The file's names for our columns, or paths into them; null where it has none, and all may be left out.

    `prompt` holds texts or lists of messages, `messages` conversations, of which a last turn of the assistant's is no
    part of the prompt: at most one of the two. Where the sides are conversations themselves, their common beginning is
    the prompt, and a prompt beside them must be repeated in it. `row_id` is the row's own id, and `carried` are columns
    whose values go with its pairs and responses."""

    prompt: str | None = None
    messages: str | None = None
    system: str | None = None
    tools: str | None = None
    answer: str | None = None
    task: str | None = None
    prompt_id: str | None = None
    row_id: str | None = None
    carried: list[str] | None = None

    @model_validator(mode="after")
    def _names_prompts_once(self) -> "Columns":
        if self.prompt is not None and self.messages is not None:
            raise ValueError("prompt and messages both name a column; one of them is null")
        return self


class Params(UserFileParams):
    """A source of kind pairs. `layout` is a file of curation/prompts/layouts with its settings; `transcript` says what
    begins a turn where a text is a whole conversation; `turns: lists`, that the column of prompts holds the texts of
    the user's turns and the sides those of the assistant's, in lists or the JSON of such; `reasoning`, as of a
    generator, how its texts mark reasoning. `verifier` and `instruction` are those of kind table, and may be left
    out."""

    kind: Literal["pairs"]
    split: Literal["train"]
    layout: Annotated[Any, AfterValidator(read_layout)]
    columns: Columns
    transcript: Transcript | None = None
    turns: Literal["lists"] | None = None
    reasoning: Rule | None = None
    verifier: Annotated[Any, AfterValidator(check_verifier)] = None
    instruction: str | None = None

    @model_validator(mode="after")
    def _has_turns_of_both(self) -> "Params":
        if self.turns is None:
            return self
        if self.columns.prompt is None or self.transcript is not None or self.layout.fields:
            raise ValueError("turns: lists want columns.prompt, sides in columns of their own, and no transcript")
        return self

    @property
    def places(self) -> dict[str, str]:
        """The columns, or paths into them, that rows are read by, by their places in this source's params."""
        ours = {
            f"columns.{name}": column
            for name, column in self.columns.model_dump(exclude={"carried"}).items()
            if column is not None
        }
        ours |= {f"{CARRIED}{column}": column for column in self.columns.carried or []}
        return ours | {f"layout.{place}": column for place, column in self.layout.columns.items()}

    def unmet(self, study: Study) -> Iterator[str]:
        """The file, where it is not there or does not hold what it should; of a large one only the columns are looked
        at. A data set that is not cached is fetched when it is read."""
        place = "path" if self.dataset is None else "dataset"
        try:
            if self.dataset is None or is_cached(self.dataset):
                self._look_at_rows()
        except Errors as errors:
            yield from (one_line(f"{place}: {line}") for line in errors.lines)
        except CurationError as error:
            yield one_line(f"{place}: {error}")

    def _look_at_rows(self) -> None:
        table = self.open(say=False)
        if table.size > MOST_READ:
            table.refuse_missing(self.places)
        else:
            read_frames(self, table, say=False)

    @property
    def carried_names(self) -> list[str]:
        """The columns whose values go with its pairs and responses."""
        return list(self.columns.carried or [])

    @property
    def rating_names(self) -> list[str]:
        """What responses are rated on."""
        names: list[str] = self.layout.rating_names
        return names

    @property
    def lists_pairs(self) -> bool:
        """Whether the file says which of two responses is the better one."""
        return bool(self.layout.lists_pairs)

    @property
    def names_models(self) -> bool:
        """Whether the file says who wrote a response."""
        return bool(self.layout.names_models)


def preference_set(settings: Params) -> PreferenceSet:
    """What the file holds: its distinct prompts, also those that another source has, and all that its rows say.

    Raises CurationError where the file cannot be read, a value is not what its place in params says, or a prompt has
    two answers.
    """
    table = settings.open()
    frames = read_frames(settings, table)
    rows = frames.rows.sort("said", "row")
    refuse_two(table, rows, "answer", "answers", TWO_ANSWERS)
    of_prompt = rows.with_columns(pl.col("answer").alias("answers"))
    prompts = distinct_prompts(table, of_prompt, settings.verifier, settings.instruction)
    numbered = rows.with_columns((pl.col("said").rank("dense") - 1).alias("prompt"))
    return PreferenceSet(table, prompts, frames._replace(rows=numbered), settings.layout.ordering)


def prompts(settings: Params, existing_texts: set[str]) -> pl.DataFrame:
    """The set's distinct prompts. Raises as `preference_set` does."""
    return preference_set(settings).prompts
