"""Looking after what a ledger holds: whether it is as it was written, and what of it may go."""

import sys
from collections.abc import Iterable
from shlex import quote

from curation.calls.attempts import is_intact
from curation.calls.call import Call
from curation.calls.message import SPARE_TOKENS, UNSHOWN
from curation.calls.redaction import PLACEHOLDER
from curation.calls.store import IS_REPLY, NAMES, REPLY, Store, counted, reply_of
from curation.core.errors import CurationError

# Good by its row, and no reply by what it holds, as versions before the third layout kept some.
UNUSABLE = f"error IS NULL AND NOT {IS_REPLY}"

# A good reply with more tokens than its text can have: something was said that is not kept, as versions before the
# third layout kept no reasoning. They kept no note either, so that a reply with one has lost nothing here.
WITHOUT_REASONING = (
    "error IS NULL AND reasoning IS NULL AND reasoning_tokens IS NULL AND rest IS NULL AND refusal IS NULL "
    "AND tool_calls IS NULL AND logprobs IS NULL AND note IS NULL "
    f"AND {counted('completion_tokens')} > coalesce(length(CAST(text AS BLOB)), 0) + {SPARE_TOKENS} AND {IS_REPLY}"
)

# A good reply whose server has thought, as it counts or as its tokens prove, and shows none of it. One that has
# delimiters of reasoning in its text shows it there.
HIDDEN_REASONING = (
    f"error IS NULL AND trim(coalesce(reasoning, '')) = '' AND ({counted('reasoning_tokens')} > 0 "
    f"OR instr(note, '{UNSHOWN}')) AND NOT has_delimiter(text) AND {IS_REPLY}"
)

# A good reply that holds `[key]`: the model's own words, or left by a version that took the key out of replies too.
REDACTED = (
    f"error IS NULL AND (instr(text, '{PLACEHOLDER}') OR instr(logprobs, '{PLACEHOLDER}') OR "
    f"instr(finish_reason, '{PLACEHOLDER}'))"
)


def verify(store: Store) -> int:
    """The number of rows, all of which have the hashes of their content. Raises CurationError naming the first
    that was modified."""
    (state,) = store.db.execute("PRAGMA integrity_check").fetchone()
    if state != "ok":
        raise CurationError(
            f"{store.file}: damaged: {state}; export what can be read, and import that into a new ledger"
        )
    count = 0
    for row in store.db.execute(f"SELECT {NAMES} FROM calls ORDER BY created_at, id"):
        if not is_intact(row):
            raise CurationError(
                f"{store.file}: row {row[0][:16]}…: hash mismatch: row was modified; delete it, and run again to buy it"
            )
        count += 1
    return count


def prune(store: Store) -> int:
    """Delete the failed attempts of calls that were answered later, the good replies that an older one of the same
    limit hides, and what an earlier version kept as a reply and is none. One kept without its reasoning hides none that
    has it.

    Returns how many rows went. No reply that a call can get is lost.
    """
    with store.transaction():
        gone = store.db.execute(f"DELETE FROM calls WHERE {UNUSABLE}").rowcount
        gone += store.db.execute(
            "DELETE FROM calls WHERE EXISTS (SELECT 1 FROM calls AS other WHERE other.key = calls.key "
            "AND other.error IS NULL AND other.max_tokens IS calls.max_tokens "
            "AND (calls.error IS NOT NULL OR (other.created_at, other.id) < (calls.created_at, calls.id) "
            f"AND (calls.reasoning IS NULL OR NOT ({WITHOUT_REASONING}))))"  # the second is of the other
        ).rowcount
    store.db.execute("VACUUM")
    return gone


def find_unusable(store: Store) -> list[tuple[str, str, str, str]]:
    """Key, stage, name and fault of what an earlier version kept as a reply and is none, the oldest first."""
    rows = store.db.execute(
        f"SELECT key, stage, name, {REPLY} FROM calls WHERE {UNUSABLE} ORDER BY created_at, id"
    ).fetchall()
    return [(key, stage, name, str(reply_of(values).error)) for key, stage, name, *values in rows]


def find_redacted(store: Store) -> list[tuple[str, str, str]]:
    """Key, stage and name of the good replies that hold `[key]`, the oldest first."""
    return store.db.execute(f"SELECT key, stage, name FROM calls WHERE {REDACTED} ORDER BY created_at, id").fetchall()


def drop_redacted(store: Store) -> int:
    """Delete the good replies that hold `[key]`, so that the next run buys them again. Returns how many."""
    gone = store.db.execute(f"DELETE FROM calls WHERE {REDACTED}").rowcount
    store.db.execute("VACUUM")
    return gone


def find_without_reasoning(store: Store, keys: Iterable[str]) -> list[str]:
    """Of the calls with these keys those that have a good reply kept without its reasoning, as far as its tokens prove
    it."""
    kept = f"SELECT 1 FROM calls WHERE key = ? AND {WITHOUT_REASONING}"
    return [key for key in keys if store.db.execute(kept, (key,)).fetchone()]


def tell_of_lost_reasoning(store: Store, calls: list[Call], stage: str, name: str) -> None:
    """Say on standard error how many of the calls, all of one model, have a reply whose reasoning an earlier
    version did not keep, and how many one that their server does not show."""
    keys = {call.key for call in calls}
    if lost := find_without_reasoning(store, keys):
        of, prune = len(keys), f"prune --without-reasoning {quote(calls[0].model)}"
        print(
            f"{stage} {name}: {len(lost)} of {of} replies were kept without their reasoning, by a version that "
            f"dropped it; `curation ledger {prune}` deletes them, and the next run buys them again. It helps once: "
            "a server that keeps its reasoning to itself sends none then either",
            file=sys.stderr,
            flush=True,
        )
    if hidden := find_hidden_reasoning(store, calls[0].model, keys) if calls else {}:
        tokens = sum(count or 0 for count in hidden.values())
        print(
            f"{stage} {name}: {len(hidden)} of {len(keys)} replies were thought about before they were answered, and "
            f"the server keeps that to itself{f': {tokens} tokens, which are paid for' if tokens else ''}. There is "
            "nothing to buy again; their traces have no reasoning",
            file=sys.stderr,
            flush=True,
        )


def find_hidden_reasoning(store: Store, model: str, keys: set[str]) -> dict[str, int | None]:
    """Of the calls to `model` with these keys those that have a good reply whose reasoning the server kept to itself,
    and its tokens, where the server counts them."""
    rows = store.db.execute(
        f"SELECT key, {counted('reasoning_tokens')} FROM calls WHERE model = ? AND {HIDDEN_REASONING}", (model,)
    )
    return {key: tokens for key, tokens in rows if key in keys}


def drop_without_reasoning(store: Store, model: str) -> int:
    """Delete the good replies by `model` that were kept without their reasoning, so that the next run buys them again.
    Returns how many."""
    gone = store.db.execute(f"DELETE FROM calls WHERE model = ? AND {WITHOUT_REASONING}", (model,)).rowcount
    store.db.execute("VACUUM")
    return gone
