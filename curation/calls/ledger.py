"""The call ledger: every model call is keyed by its content, bought once, and kept for good, outside DVC's outputs.

Rows hold no address and no credential.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from glob import escape
from pathlib import Path
from secrets import randbelow
from typing import Annotated

from pydantic import AfterValidator, Field

from curation.calls.attempts import Attempt
from curation.calls.budget import UNLIMITED, Spending
from curation.calls.budget import Params as Budget
from curation.calls.call import Call, Engine, Reply
from curation.calls.keeping import AT_ONCE, UNKEPT, Keeping
from curation.calls.opening import find_foreign
from curation.calls.served import Served
from curation.calls.store import CACHED, Store, counted, insert_attempt
from curation.core.errors import CurationError
from curation.core.main_repository import in_main_repository
from curation.core.needs import find_folder_fault
from curation.core.params import Strict
from curation.core.progress import progress
from curation.core.ranges import FilePath
from curation.core.study import Study

FARTHEST = 10_000  # calls that are skipped at once
TOKENS = f"sum({counted('prompt_tokens')}), sum({counted('completion_tokens')}), sum({CACHED})"


def _check_file(path: str) -> str:
    if path == ":memory:" or path.startswith("file:"):  # SQLite's own words, which keep nothing or go elsewhere
        raise ValueError(f"{path!r} is no file, which alone keeps what was paid for; name one")
    return path


def _check_home(path: str) -> str:
    if path.startswith("~"):
        raise ValueError(f"{path!r} would be a folder called ~; write your home folder out")
    return path


class Params(Strict):
    """`ledger` in params.yaml. A stage stops, and makes no table, if more than the share `max_failed` of its calls
    ended in an error."""

    path: Annotated[FilePath, AfterValidator(_check_file), AfterValidator(_check_home)]
    recorded: Annotated[FilePath, AfterValidator(_check_home)]
    offline: bool
    max_failed: Annotated[float, Field(ge=0, le=1, description="a share of a stage's calls")]

    @property
    def file(self) -> Path:
        """The ledger's file: an experiment of DVC's that runs in a copy of the repository uses the repository's."""
        return in_main_repository(Path(self.path))

    def unmet(self, study: Study) -> Iterator[str]:
        """A file or a folder that cannot be what it is to be."""
        if fault := find_folder_fault(str(self.file)) or find_foreign(self.file):
            yield f"path: {self.path}: {fault}"
        if Path(self.recorded).exists() and not Path(self.recorded).is_dir():
            yield f"recorded: {self.recorded}: is no folder; name the folder that holds Parquet files of calls"


def locally(engine: Engine) -> Engine:
    """`engine` itself: calls are made by this process."""
    return engine


class Ledger(Store):
    """A stage's ledger. `distribute` decides where calls are made: it turns an engine into one that answers the same
    calls elsewhere. `served` is what its replies took."""

    def __init__(
        self, settings: Params, budget: Budget = UNLIMITED, distribute: Callable[[Engine], Engine] = locally
    ) -> None:
        self.settings, self.budget, self.distribute, self.served = settings, budget, distribute, Served()
        super().__init__(settings.file)
        try:
            self._read_files()
        except sqlite3.Error as error:
            self._read_copy(error)
            self._read_files()

    def _read_files(self) -> None:
        """Import the shipped replies, and those that an earlier run bought and could not write here."""
        for file in sorted(Path(self.settings.recorded).glob("*.parquet")):
            self.import_file(file)
        for file in sorted(self.file.parent.glob(f"{escape(self.file.name)}.{UNKEPT}.*.parquet")):
            try:
                self.import_file(file, bought=True)
            except CurationError:
                if file.exists():
                    raise
                continue  # another process was faster
            if not self.unwritable:
                file.unlink(missing_ok=True)

    def fulfil(self, calls: list[Call], engine: Engine, stage: str, name: str) -> Iterator[Reply]:
        """A reply to each call, in order, read lazily. Before that, `engine` answers each distinct call that no kept
        reply serves, once, and every attempt is kept as it comes.

        Raises CurationError when the ledger is offline and a call is missing, naming the stage, the key and the prompt;
        when the budget is spent; when a call got no reply; and when too many failed.
        """
        missing, failed = self.missing(calls), dict[str, Reply]()
        if missing and self.settings.offline:
            raise CurationError(
                f"{stage} {name}: ledger.offline is true and {_describe_missing(missing, calls)}; "
                "import a ledger that has them, or set ledger.offline: false"
            )
        if missing:
            self.require_writable()
            cap = self._buy(missing, failed, engine, stage, name)
            if unanswered := [call for call in self.missing(missing) if call.key not in failed]:
                way_out = f"{cap}; raise it, then `dvc repro` goes on" if cap else "run again to go on"
                raise CurationError(f"{stage} {name}: {_describe_missing(unanswered, calls)}: {way_out}")
        self._refuse_failures(
            [failed[call.key].error for call in calls if call.key in failed], len(calls), f"{stage} {name}"
        )
        return self._serve(calls, failed)

    def _serve(self, calls: list[Call], failed: Mapping[str, Reply]) -> Iterator[Reply]:
        counted = set[str]()
        for call in calls:
            if error := failed.get(call.key):
                yield error
            elif reply := self.find(call):
                if call.key not in counted:
                    counted.add(call.key)
                    self.served.count(reply)
                yield reply

    def missing(self, calls: list[Call]) -> list[Call]:
        """The distinct calls that no reply serves, in order."""
        return [call for call in {call.key: call for call in calls}.values() if self.find(call) is None]

    def will_ask(self, calls: list[Call]) -> bool:
        """Whether `fulfil` would ask an engine."""
        return not self.settings.offline and any(self.find(call) is None for call in calls)

    def _buy(self, missing: list[Call], failed: dict[str, Reply], engine: Engine, stage: str, name: str) -> str | None:
        """Keep replies to `missing`, and put those that are errors into `failed`. Returns the cap of the budget that
        ended it, or None."""
        spending, waiting, keeping = self.spending(), deque(missing), Keeping(self.file, self.db, insert_attempt)
        attempts = tokens = 0

        def unanswered() -> Iterator[Call]:
            """The calls that may be sent, each looked up just before it is: another process may have bought it."""
            while waiting and not keeping.error:
                self.count_bought(spending)
                if spending.reached_cap(len(keeping.held)):
                    return
                call = waiting.popleft()
                if self.find(call) is None:
                    spending.in_flight += 1
                    yield call
                else:
                    shown.advance()
                    jump_ahead(waiting)

        def on_reply(call: Call, reply: Reply) -> None:
            nonlocal attempts, tokens
            if keeping.keep(call, reply, stage, name):
                jump_ahead(waiting)
            spending.in_flight -= reply.last
            attempts, tokens = attempts + 1, tokens + (reply.completion_tokens or 0)
            if reply.last:
                shown.advance(note=f"{tokens} tokens" + (f", ${spending.usd:.4f} in all" if self.budget.prices else ""))
                if reply.error is not None:
                    failed[call.key] = reply

        with progress(f"{stage} {name}", len(missing), "calls") as shown:
            try:
                with self.waiting_at_most(AT_ONCE):
                    self.distribute(engine)(unanswered(), on_reply)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(f"the ledger has what was bought: {attempts} attempts") from None
            finally:
                keeping.end()
        self.count_bought(spending)
        return spending.reached_cap()

    def _refuse_failures(self, failed: list[str | None], of: int, stage: str) -> None:
        if len(failed) > self.settings.max_failed * of:
            raise CurationError(
                f"{stage}: {len(failed)} of {of} calls failed, the first with {failed[0]}: more than "
                f"ledger.max_failed: {self.settings.max_failed:g}; run again to try these again, or raise it"
            )

    def append(self, call: Call, reply: Reply, stage: str, name: str) -> None:
        """Keep one attempt, good or bad, at once."""
        self.require_writable()
        insert_attempt(self.db, Attempt.now(call, reply, stage, name))

    def spending(self) -> Spending:
        """What the calls that were bought into this file cost, at today's prices."""
        spending = Spending(self.budget)
        self.count_bought(spending)
        return spending

    def count_bought(self, spending: Spending) -> None:
        """Add to `spending` what came into the file since it was last counted, from whichever process."""
        (newest,) = self.db.execute("SELECT coalesce(max(rowid), 0) FROM calls").fetchone()
        if newest < spending.counted:  # rows were pruned, which may have moved the others
            spending.forget()
        rows = self.db.execute(
            f"SELECT model, batched, count(*), {TOKENS} FROM calls WHERE rowid > ? AND rowid <= ? AND bought "
            "GROUP BY model, batched",
            (spending.counted, newest),
        )
        for model, batched, calls, prompt, completion, cached in rows:
            spending.count(model, calls, prompt or 0, completion or 0, cached or 0, bool(batched))
        spending.counted = newest


def jump_ahead(waiting: deque[Call]) -> None:
    """Go on at another place, chosen by lot: another process asks for what is next, and would go on side by side with
    this one."""
    waiting.rotate(-randbelow(min(len(waiting), FARTHEST) + 1))


def _describe_missing(missing: list[Call], calls: list[Call]) -> str:
    first, distinct = missing[0], len({call.key for call in calls})
    return (
        f"{len(missing)} of {distinct} calls have no reply "
        f"(the first is key {first.key[:16]}…, prompt {first.last_message[:80]!r})"
    )
