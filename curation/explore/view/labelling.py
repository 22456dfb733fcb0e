"""The pages to label pairs at: by keys or buttons, with a script or without. What is said is saved before the next pair
is shown."""

import secrets
from functools import partial
from typing import Any
from urllib.parse import urlencode

import polars as pl
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from curation.core.errors import CurationError
from curation.explore.explain import describe_prompt
from curation.explore.labels.budget import find_dearest, measure_agreements
from curation.explore.labels.gold import RANDOM, Gold, Label, Said, Scores, say
from curation.explore.labels.sampling import list_pairs
from curation.explore.labels.session import (
    SAMPLES,
    YES,
    Session,
    is_name,
    list_judged,
    list_scales,
    read_session,
    refuse_unknown_score,
)
from curation.explore.labels.snippet import write_snippet
from curation.explore.labels.work import find_next, last_done, make_row, order_of, summarize
from curation.explore.tables import Row, Tables
from curation.explore.view.answering import in_lane, opened, read_form, read_way, reads, show
from curation.tables.contracts import SIDES

POSITIONS = ("left", "right")
TEXTS = ("trace_id", "generator", "reasoning", "completion")
USUAL = (("sample", RANDOM), ("blind", YES), ("keys", YES))  # how a list is labelled unless one says
FORM = secrets.token_urlsafe(16)  # that only a form of this process holds


def routes() -> list[Route]:
    """`/label`, where one says what to label; `/label/pair`, one pair after the other; `/label/done`."""
    return [
        Route("/label", show_start),
        Route("/label/pair", show_pair, methods=["GET"]),
        Route("/label/pair", save, methods=["POST"]),
        Route("/label/done", show_done),
    ]


def _gold(request: Request) -> Gold:
    """The labels of what the tables say now. Of a file that had to be read anew they are held to the texts again."""
    gold, labels, _ = _opened_gold(request)
    gold.refresh()
    if gold.labels is not labels:
        opened(request).forget("gold", None)
        gold, *_ = _opened_gold(request)
    return gold


def _opened_gold(request: Request) -> tuple[Gold, object, int]:
    """The labels; the mapping that has them until the file is read anew; and how many were dropped, of texts that are
    no longer there."""
    tables = opened(request).tables()

    def current(ids: list[int]) -> set[Said]:
        found = tables.find("traces", pl.col("trace_id").is_in(ids), TEXTS)
        return {say(row["trace_id"], row) for row in found}

    def read() -> tuple[Gold, object, int]:
        gold = Gold()
        outlived = gold.drop_outlived(current) if gold.labels else 0
        return gold, gold.labels, outlived

    return opened(request).keep("gold", read)


def _session(request: Request) -> Session:
    asked = request.query_params
    return read_session(asked, asked.getlist("dimension"), opened(request).study())


def _say_query(request: Request, session: Session) -> str:
    """What addresses of the session's pages say, and in which way texts are shown there."""
    return urlencode([*session.query(), *([("texts", way)] if (way := read_way(request)) else [])])


def _labeller(request: Request) -> str:
    """Who labels: as the address says, else who last was said to; nobody if nobody was."""
    named, state = request.query_params.get("labeller", "").strip(), request.app.state
    if is_name(named):
        state.labeller = named
    return named or getattr(state, "labeller", "")


@reads
def show_start(request: Request) -> Response:
    """Who labels what, how far that has come, and the lines that read it."""
    study, gold = opened(request).study(), _gold(request)
    width, ranking = Session("").width, [name for name, one in study.selections.items() if one.value is not None]
    judged = list_judged(study)
    lacking = {name for name, of in (("cut", ranking), ("disagree", judged[1:])) if not of}
    samples = {name: words for name, words in SAMPLES.items() if name not in lacking}
    return show(
        request, "view_label.html", labeller=_labeller(request), samples=samples, width=width,
        where=request.query_params.get("where", ""),
        selections=ranking, judged=judged, dimensions=list(list_scales(study)),
        people=summarize(gold), agreements=measure_agreements(gold, width), path=gold.path,
        outlived=_opened_gold(request)[2],
        snippet=write_snippet(gold, study) if gold.labels else None,
    )  # fmt: skip


@reads
def show_pair(request: Request) -> Response:
    """The next pair of the session, or the one that the address names. Who has not said who they are is asked."""
    asked = request.query_params
    who = _labeller(request)
    if "labeller" not in asked:
        to, named = ("/label/pair", [("labeller", who)]) if who else ("/label", [])
        return RedirectResponse(f"{to}?{urlencode([*named, *asked.multi_items()])}", 303)
    session, gold, tables = _session(request), _gold(request), opened(request).tables()
    listed = opened(request).keep("labels", lambda: list_pairs(tables.study, session), str(session.rule))
    own, again = gold.of(session.labeller), asked.get("pair")
    pair_id = find_next(gold, session, listed) if again is None else _number(again)
    counted = [label for label in own.values() if label.sample["kind"] == RANDOM]
    around: dict[str, Any] = {
        "session": session, "query": _say_query(request, session), "listed": len(listed),
        "done": sum(label.action != "undo" for label in own.values()), "saved": _say_saved(request, own),
        "decided": sum(label.verdict in SIDES for label in counted),
        "budget": opened(request).keep("budget", lambda: find_dearest(tables.study, session.width), session.width),
    }  # fmt: skip
    if pair_id is None:
        return show(request, "view_labelled.html", **around)
    pair, traces = _read_pair(tables, pair_id)
    order = order_of(session, own.get(pair_id), pair_id)
    sides = SIDES if order == "chosen_first" else SIDES[::-1]
    scales = list_scales(tables.study)
    shown = [
        {
            "position": position,
            "trace": {"reasoning": traces[side]["reasoning"], "completion": traces[side]["completion"]},
            "scores": gold.scores(session.labeller, traces[side]["trace_id"]),
            "facts": {} if session.blind else _facts(tables, traces[side]),
        }
        for position, side in zip(POSITIONS, sides, strict=True)
    ]
    return show(
        request, "view_label_pair.html", pair_id=pair_id, shown=shown, form=FORM, before=own.get(pair_id),
        prompt=describe_prompt(tables, pair["prompt_id"]), scales={name: scales[name] for name in session.dimensions},
        again=again is not None, **around,
    )  # fmt: skip


async def save(request: Request) -> Response:
    """The answer of a form is in the file, and the next pair is asked for. Raises HTTPException if the form is not one
    of this view's pages."""
    form = await read_form(request)
    if not secrets.compare_digest(form.get("form", "").encode(), FORM.encode()):
        raise HTTPException(403, "a form of an earlier view; go back, and load the page again")
    return await in_lane(request, partial(_save, request, form))


def _save(request: Request, form: dict[str, str]) -> Response:
    session, gold, tables = _session(request), _gold(request), opened(request).tables()
    answer, pair_id = form.get("answer", ""), _number(form.get("pair_id", ""))
    if answer == "undo":
        last = last_done(gold, session)
        if last is None:
            raise CurationError("undo: there is no label to take back")
        pair_id = last.pair_id
    pair, traces = _read_pair(tables, pair_id)
    before = gold.of(session.labeller).get(pair_id)
    order = order_of(session, before, pair_id)
    sides = SIDES if order == "chosen_first" else SIDES[::-1]
    scores = {
        side: {} if answer == "undo" else _read_scores(tables, session, gold, form, position, traces[side]["trace_id"])
        for position, side in zip(POSITIONS, sides, strict=True)
    }
    gold.append(session.labeller, make_row(session, before, pair, traces, answer, scores))
    return RedirectResponse(f"/label/pair?{_say_query(request, session)}&saved={pair_id}", 303)


def _read_scores(
    tables: Tables, session: Session, gold: Gold, form: dict[str, str], position: str, trace_id: int
) -> Scores:
    """What the form says of one side, and what was said before on dimensions that it does not ask for."""
    scales = list_scales(tables.study)
    said = {name: form.get(f"{position}.{name}", "") for name in session.dimensions}
    kept = {name: score for name, score in gold.scores(session.labeller, trace_id).items() if name not in said}
    return kept | {name: refuse_unknown_score(scales, name, text) for name, text in said.items() if text}


@reads
def show_done(request: Request) -> Response:
    """What the labeller has said, the latest first, each with the way to say something else."""
    session, gold = _session(request), _gold(request)
    rows = [{"said": _say(label), **label._asdict()} for label in reversed(gold.of(session.labeller).values())]
    return show(request, "view_label_done.html", session=session, rows=rows, query=_say_query(request, session))


def _number(text: str) -> int:
    """A pair_id. Raises HTTPException if it is none."""
    if not text.isascii() or not text.isdecimal() or len(text) > 19:
        raise HTTPException(404, f"there is no pair {text[:40]}")
    return int(text)


def _read_pair(tables: Tables, pair_id: int) -> tuple[Row, dict[str, Row]]:
    """The row of a pair, and by side that of its trace. Raises HTTPException if there is none."""
    pair = next(iter(tables.find("pairs", pl.col("pair_id") == pair_id)), None)
    if pair is None:
        raise HTTPException(404, f"there is no pair {pair_id}")
    ids = {side: pair[f"{side}_trace_id"] for side in SIDES}
    rows = {row["trace_id"]: row for row in tables.find("traces", pl.col("trace_id").is_in(list(ids.values())), TEXTS)}
    if lost := [trace_id for trace_id in ids.values() if trace_id not in rows]:
        raise CurationError(f"pair {pair_id}: there is no trace {lost[0]}; `dvc repro` makes both tables again")
    return pair, {side: rows[trace_id] for side, trace_id in ids.items()}


def _facts(tables: Tables, trace: Row) -> dict[str, Any]:
    """Who wrote a trace, and the mean of each judge's scores of it."""
    scores: dict[str, list[float]] = {}
    columns = ["judge", "dimension", "score"]
    for row in tables.find("judgments", pl.col("trace_id") == trace["trace_id"], columns):
        if row["score"] is not None:
            scores.setdefault(f"{row['judge']}.{row['dimension']}", []).append(row["score"])
    return {"written by": trace["generator"]} | {name: f"{sum(all_) / len(all_):.3g}" for name, all_ in scores.items()}


def _say_saved(request: Request, own: dict[int, Label]) -> dict[str, Any] | None:
    """What the row that was just saved says."""
    asked = request.query_params.get("saved", "")
    label = own.get(int(asked)) if asked.isascii() and asked.isdecimal() and len(asked) < 20 else None
    return None if label is None else {"said": _say(label), "pair_id": label.pair_id, "action": label.action}


def _say(label: Label) -> str:
    """A label in words, as its labeller saw the pair."""
    if label.verdict in SIDES:
        return f"{POSITIONS[(label.order == 'chosen_first') != (label.verdict == 'chosen')]} is better"
    return {"tie": "tie", "both_bad": "both bad", "skip": "skipped", "undo": "taken back"}[
        label.verdict or label.action
    ]
