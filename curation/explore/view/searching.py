"""Texts searched for a piece of one: a scan of all of them in a thread of its own, which says how far it is and ends
where nobody waits for it any more."""

import time
from threading import Event, Lock, Thread

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.errors import CurationError
from curation.explore.lists.prompt_columns import SAID, TEXT
from curation.explore.tables import Tables
from curation.tables.parquet import ROW_GROUP

TURN = Lock()  # one scan at a time
SECONDS_AT_ONCE = 0.5  # for which a page waits before it says how far the search is
SECONDS_WAITED = 15  # since a page last asked how far it is
MOST_LETTERS = 1000  # of what is searched
MOST_HELD = 8  # searches
TEXTS = {  # table: the id of a row, the columns that are read, and its texts
    "prompts": ("prompt_id", ["prompt", "messages"], [TEXT]),
    "decontamination": ("prompt_id", ["prompt"], [SAID]),  # of what it dropped too
    "traces": ("trace_id", ["reasoning", "completion"], [pl.col("reasoning"), pl.col("completion")]),
}


class Search:
    """One scan: the ids of the prompts and of the traces that have the text, in any case."""

    def __init__(self, text: str, tables: Tables) -> None:
        self.text, self.tables = text, tables
        self.ids: dict[str, list[pl.Series]] = {table: [] for table in TEXTS}
        self.done, self.total, self.ended, self.stopped = 0, 0, Event(), False
        self.fault: Exception | None = None
        self.asked = time.monotonic()

    def run(self) -> None:
        """Scan, once it is its turn, to the end, or until it is stopped, or nobody asks."""
        try:
            with TURN:
                self._scan()
        except (pl.exceptions.PolarsError, pa.ArrowInvalid, OSError) as error:
            self.fault = CurationError(f"text: cannot be searched: {str(error).splitlines()[0]}")
        self.ended.set()

    def _scan(self) -> None:
        files = [(table, file, pq.read_metadata(file).num_rows) for table in TEXTS for file in self.tables.files(table)]
        self.total = sum(height for _, _, height in files)
        pattern = f"(?i){pl.escape_regex(self.text)}"
        for table, file, height in files:
            key, columns, texts = TEXTS[table]
            for start in range(0, height, ROW_GROUP):
                if self.stopped or time.monotonic() - self.asked > SECONDS_WAITED:
                    self.stopped = True
                    return
                rows = pl.scan_parquet(file, glob=False).slice(start, ROW_GROUP).select(key, *columns)
                holds = pl.any_horizontal(text.str.contains(pattern) for text in texts)
                self.ids[table].append(rows.filter(holds).select(key).collect().to_series())
                self.done += min(ROW_GROUP, height - start)

    def found(self, key: str) -> pl.Series:
        """The ids of this name, prompt_id or trace_id, whose texts have it."""
        parts = [part for table, found in self.ids.items() if TEXTS[table][0] == key for part in found]
        return pl.concat([pl.Series(key, [], pl.Int64), *parts])


class Searching(CurationError):
    """A search that has not ended."""

    def __init__(self, search: Search) -> None:
        super().__init__(f"text: {search.text!r} is still searched for")
        self.search = search


class Searches:
    """The scans of a study's texts as they are now: one runs, and the last ones are held."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.held: dict[str, Search] = {}

    def found(self, text: str) -> Search:
        """The search of a text, which has ended. Raises Searching while it runs, and CurationError if it is too long
        or a table cannot be read."""
        if len(text) > MOST_LETTERS:
            raise CurationError(f"text: has more than {MOST_LETTERS:,} letters; search for a piece of it")
        search = self.held.get(text)
        if search is None or search.stopped:
            search = self.held[text] = Search(text, self.tables)
            Thread(target=search.run, daemon=True).start()
            for oldest in list(self.held)[:-MOST_HELD]:
                self.held.pop(oldest).stopped = True
        search.asked = time.monotonic()
        if not search.ended.wait(SECONDS_AT_ONCE):
            raise Searching(search)
        if search.fault is not None:
            del self.held[text]
            raise search.fault
        return search

    def stop(self, text: str) -> None:
        """End the search of a text, if it runs."""
        if (search := self.held.get(text)) and not search.ended.is_set():
            search.stopped = True
