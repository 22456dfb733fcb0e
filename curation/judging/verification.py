"""Answers against references, each distinct case verified once, on all cores where that takes long."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

from curation.core.inner_kinds import parse_verifier
from curation.core.progress import progress
from curation.judging.answers._kind import Verdict

ALONE_S = 2.0  # what other processes take to start; how long it takes decides where a case is verified, not its verdict
CHUNK = 64  # cases that a process is handed at once


class Case(NamedTuple):
    """An answer and a reference, and the verifier that is to compare them, as the columns of `prompts` have it."""

    answer: str
    reference: str
    verifier: str
    entry: str | None


def verify_all(cases: Iterable[Case], label: str, processes: int | None = None) -> dict[Case, Verdict]:
    """The verdict on each distinct case, the same from any number of processes: those that are given, else this one,
    and after ALONE_S as many as there are cores.

    A case on which another process dies has no score. Raises CurationError if there is no such verifier.
    """
    distinct = list(dict.fromkeys(cases))
    for verifier in {case.verifier for case in distinct}:
        parse_verifier(verifier)
    verdicts: dict[Case, Verdict] = {}
    with progress(label, len(distinct), "distinct answers") as shown:
        if processes in (None, 1):
            started = time.monotonic()
            for case in distinct:
                verdicts[case] = _verify(case)
                shown.advance()
                if processes is None and time.monotonic() - started > ALONE_S:
                    break
        left = distinct[len(verdicts) :]
        for chunk, of_chunk in _verify_apart(left, processes or len(os.sched_getaffinity(0))) if left else ():
            verdicts.update(zip(chunk, of_chunk, strict=True))
            shown.advance(len(chunk))
    return {case: verdicts[case] for case in distinct}


def _verify(case: Case) -> Verdict:
    return parse_verifier(case.verifier).verify(case.answer, case.reference, case.entry)


def _verify_chunk(chunk: Sequence[Case]) -> list[Verdict]:
    return list(map(_verify, chunk))


def _verify_apart(cases: Sequence[Case], processes: int) -> Iterator[tuple[Sequence[Case], list[Verdict]]]:
    """Chunks with their verdicts, as processes finish them. After one died, all that is left is verified a case at a
    time in one process, to find out which case it was."""
    chunks = [cases[start : start + CHUNK] for start in range(0, len(cases), CHUNK)]
    left = dict(enumerate(chunks))
    try:
        for number, verdicts in _run(left, processes):
            yield left.pop(number), verdicts
    except BrokenProcessPool:
        alone = {number: [case] for number, case in enumerate(case for chunk in left.values() for case in chunk)}
        while alone:
            try:
                for number, verdicts in _run(alone, 1):
                    yield alone.pop(number), verdicts
            except BrokenProcessPool:
                case = alone.pop(next(iter(alone)))
                why = "the verifier's process died on it; it may have run out of memory"
                yield case, [Verdict(None, case[0].answer, case[0].reference, why)]


def _run(chunks: Mapping[int, Sequence[Case]], processes: int) -> Iterator[tuple[int, list[Verdict]]]:
    """The number and the verdicts of each chunk, in the order in which they are finished; in that of the chunks from
    one process. Raises BrokenProcessPool if a process dies."""
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _follow_parent)
    try:
        futures = {pool.submit(_verify_chunk, chunk): number for number, chunk in chunks.items()}
        for future in futures if processes == 1 else as_completed(futures):
            yield futures[future], future.result()
    except BaseException:  # Ctrl-C too: what runs ends within its chunk, what waits is not begun
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _follow_parent() -> None:
    """Ctrl-C is the parent's to handle, and a process whose parent is gone ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def end_with_parent() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
