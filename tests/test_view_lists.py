"""The lists of traces and of prompts, and what all lists share: what an address asks for is what they show, count and
order, as a slow reference has it.

Kinds of fault: a row that is left out because selections would not take it; a score, a label or a reason that is
another row's; an option that is read as a rule for rows; a choice that, said as an expression, leaves other rows."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import flow
import numpy as np
import polars as pl
import pytest
import world
from browser import launched, opened
from viewing import Viewed, viewing
from viewing import viewed as viewed

from curation.explore.labels import sampling as label_sampling
from curation.explore.labels.session import Session
from curation.explore.view import searching
from curation.explore.view.asked import FORMS, PROMPTS, TRACES, Asked
from curation.explore.view.listed import Listed
from curation.explore.view.lists import LISTS, SAYS
from curation.explore.view.opened import Opened
from curation.selection.labelled import label_traces
from curation.selection.single_traces import from_files
from curation.tables import contracts, parquet

UNPAIRED = {
    "label": "case answer.correct when 1 then true when 0 then false end",
    "require": {"known": "status <> 'failed'", "short": "characters < 20"},
    "budget": {"traces": 3},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sound world, in which `thumbs` labels single traces, and a requirement of pairs is called `known`."""
    file = world.write(world.sound(), tmp_path_factory.mktemp("lists"))
    params = world.settings()
    params["selections"]["thumbs"] = world.PLAIN | {"budget": {"pairs": 0}, "unpaired": UNPAIRED}
    flow.write(params, file)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(file.parent)
        study = Opened(file.parent).study()
        labelled = label_traces("thumbs", study.selections["thumbs"], from_files(study))
    assert labelled is not None
    empty = contracts.empty(contracts.UNPAIRED)
    rows = pl.concat([empty, labelled.own.with_columns(prompt=None, completion=None, truncated=False)], how="diagonal")
    rows = rows.with_columns(
        prompt=pl.lit([{"role": "user", "content": "?"}], empty.schema["prompt"]),
        completion=pl.lit([{"role": "assistant", "content": "!"}], empty.schema["completion"]),
    )
    parquet.write(contracts.UNPAIRED, rows.select(empty.columns), file.parent / "data/unpaired/thumbs.parquet")
    reasons = ["known", "true", "unscored", "better", "kept"]
    pairs = world.sound().pairs["pair_id"].sort()
    verdicts = pl.DataFrame({"pair_id": pairs}).with_columns(
        selection=pl.lit("thumbs"),
        reason=pl.Series([reasons[place % 5] for place in range(len(pairs))]),
        margin=pl.lit(None, pl.Float64),
    )
    verdicts = verdicts.with_columns(kept=pl.col("reason") == "kept").select(contracts.SELECTIONS.schema.names)
    parquet.write(contracts.SELECTIONS, verdicts, file.parent / "data/selections/thumbs.parquet")
    return file.parent


@pytest.fixture
def lists(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Listed]:
    """All lists, which wait for a text to be searched on a machine however busy."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(searching, "SECONDS_AT_ONCE", 60.0)
    study = Opened(folder)
    return {kind: make(study) for kind, make in LISTS.items()}


def known() -> list[dict[str, Any]]:
    """What is known of each trace, worked out by hand: the mean of each judge's scores beside the trace's own row."""
    made = world.sound()
    rows = []
    for trace in made.traces.sort("trace_id").to_dicts():
        scores: dict[str, list[float]] = {}
        for row in made.judgments.filter(trace_id=trace["trace_id"]).to_dicts():
            value = row["expected_score"] if row["expected_score"] is not None else row["score"]
            if value is not None:
                scores.setdefault(f"{row['judge']}.{row['dimension']}", []).append(value)
        rows.append(trace | {name: round(sum(all_) / len(all_), 9) for name, all_ in scores.items()})
    return rows


def test_every_trace_is_listed_with_what_judges_say_of_it(lists: Mapping[str, Listed]) -> None:
    page = lists["trace"].page(Asked(form=TRACES))
    rows = known()
    assert page.ids == [row["trace_id"] for row in rows] and page.found == page.height == len(rows)
    assert any(row["status"] == "failed" for row in rows)  # which no selection takes
    for name in ("answer.correct", "rubric.logic", "generator", "status", "characters"):
        shown = lists["trace"].columns.page_values([name], np.arange(len(rows)))[name]
        assert shown.to_list() == [row.get(name) for row in rows], name


def test_an_expression_keeps_the_traces_that_it_is_true_of(lists: Mapping[str, Listed]) -> None:
    wanted = [row["trace_id"] for row in known() if row.get("answer.correct") == 1 and row["generator"] != "large"]
    assert wanted
    assert lists["trace"].page(Asked(where="answer.correct = 1 and generator <> 'large'", form=TRACES)).ids == wanted
    sources = dict(world.sound().prompts.select("prompt_id", "source").rows())
    wanted = [row["trace_id"] for row in known() if sources[row["prompt_id"]] == "sums"]
    assert lists["trace"].page(Asked(where="prompt.source = 'sums'", form=TRACES)).ids == wanted


def test_a_trace_has_the_label_and_the_reason_that_its_selection_gives(
    lists: Mapping[str, Listed], folder: Path
) -> None:
    study = Opened(folder).study()
    labelled = label_traces("thumbs", study.selections["thumbs"], from_files(study))
    assert labelled is not None
    ids = labelled.traces.rows["trace_id"].to_list()
    reasons = {trace_id: labelled.reason_of(row) for row, trace_id in enumerate(ids)}
    labels = dict(labelled.own.select("trace_id", "label").rows())
    assert len(labels) == 3 and set(reasons.values()) >= {"kept", "over_budget"}
    listed = lists["trace"]
    for reason in set(reasons.values()):
        asked = Asked(chosen=(("selection", "thumbs"), ("reason", reason)), form=TRACES)
        wanted = sorted(trace_id for trace_id in ids if reasons[trace_id] == reason and trace_id in labels)
        assert listed.page(asked).ids == wanted
        wanted = sorted(trace_id for trace_id in ids if reasons[trace_id] == reason)
        assert listed.page(Asked(where=f"reason.thumbs = '{reason}'", form=TRACES)).ids == wanted
    for said in (True, False):
        asked = Asked(chosen=(("selection", "thumbs"), ("label", str(said).lower())), form=TRACES)
        assert listed.page(asked).ids == sorted(trace_id for trace_id, label in labels.items() if label == said)
    assert listed.page(Asked(where="label.thumbs is null", form=TRACES)).found == len(known()) - 3


def test_every_prompt_is_listed_those_dropped_too(lists: Mapping[str, Listed]) -> None:
    made = world.sound()
    dropped = made.decontamination.filter(~pl.col("kept"))
    page = lists["prompt"].page(Asked(form=PROMPTS))
    assert dropped.height and page.ids == sorted([*made.prompts["prompt_id"], *dropped["prompt_id"]])
    own = {row["prompt_id"]: row for row in [*dropped.to_dicts(), *made.prompts.to_dicts()]}
    reasons = dict(made.decontamination.select("prompt_id", "reason").rows())
    for number, row in zip(page.ids, page.values.to_dicts(), strict=True):
        assert row == {
            "source": own[number]["source"], "split": own[number].get("split", "train"),
            "left(user, 80)": own[number]["prompt"][0]["content"][:80],
            "traces": made.traces.filter(prompt_id=number).height, "pairs": made.pairs.filter(prompt_id=number).height,
            "reason": reasons.get(number),
        }  # fmt: skip
    asked = Asked(chosen=(("source", "sums"), ("reason", "exact")), form=PROMPTS)
    assert lists["prompt"].page(asked).ids == dropped["prompt_id"].to_list()
    found = [number for number in page.ids if "8" in own[number]["prompt"][0]["content"]]
    assert lists["prompt"].page(Asked(text="8", form=PROMPTS)).ids == found and dropped["prompt_id"][0] in found


@pytest.mark.parametrize("inside", TRACES.inside)
def test_the_traces_found_are_those_whose_texts_have_it(lists: Mapping[str, Listed], inside: str) -> None:
    asked = {row["prompt_id"]: row["prompt"][0]["content"] for row in world.sound().prompts.to_dicts()}
    for text in ("2 + 3", "WHAT", "think", "no such"):
        wanted = []
        for row in known():
            texts = {"prompt": asked[row["prompt_id"]], "trace": f"{row['reasoning']}\n{row['completion']}"}
            if any(text.lower() in own.lower() for where, own in texts.items() if inside in ("", where)):
                wanted.append(row["trace_id"])
        assert lists["trace"].page(Asked(text=text, inside=inside, form=TRACES)).ids == wanted, text


@pytest.mark.parametrize("kind", FORMS)
def test_values_of_a_page_are_those_of_all_rows(lists: Mapping[str, Listed], kind: str) -> None:
    columns = lists[kind].columns
    texts = [name for name in lists[kind].names() if not name.startswith("carried.")]
    texts += ["1 + 1", f"rank() over (order by {kind}_id)"]
    rows = np.array([4, 1, 3])
    page = columns.page_values(texts, rows)
    for text in texts:
        whole = columns.values({"value": text})["value"][rows]
        assert page[text].equals(whole.alias(text), null_equal=True), text


@pytest.mark.parametrize("kind", FORMS)
def test_a_choice_said_as_an_expression_leaves_the_rows_that_it_counts(lists: Mapping[str, Listed], kind: str) -> None:
    listed, form = lists[kind], FORMS[kind]
    above: list[dict[str, str]] = [{}]
    if kind != "prompt":
        judges = [option.value for option in listed.page(Asked(form=form)).facets["judge"]]
        above += [{"selection": name} for name in ("clear", "thumbs")] + [{"judge": name} for name in judges]
    tried = 0
    for given in above:
        for name, options in listed.page(Asked(chosen=tuple(given.items()), form=form)).facets.items():
            for option in options:
                chosen = {key: value for key, value in given.items() if form.under.get(key) != name} | {
                    name: option.value
                }
                asked = Asked(where="true -- a note", chosen=tuple(chosen.items()), form=form)
                page = listed.page(asked)
                assert listed.page(Asked(where=listed.condition(asked), form=form)).ids == page.ids, asked
                if listed.facets.facets[name].counted is None and name not in form.under.values():
                    assert option.left == page.found, asked
                tried += 1
    assert tried > 4


def test_an_option_is_a_value_whatever_it_is_called(lists: Mapping[str, Listed], folder: Path) -> None:
    """`known`, `true`, `better` and `unscored` are rules of facets, and reasons that a selection may give."""
    rows = pl.read_parquet(folder / "data/selections/thumbs.parquet")
    for reason in ("known", "true", "unscored", "better", "kept"):
        wanted = rows.filter(reason=reason)["pair_id"].sort().to_list()
        assert wanted and lists["pair"].page(Asked(chosen=(("selection", "thumbs"), ("reason", reason)))).ids == wanted
    assert set(SAYS) > {"better", "unscored"}


def test_what_a_list_is_asked_can_be_labelled(lists: Mapping[str, Listed], folder: Path) -> None:
    same = set(world.sound().pairs.filter("identical")["pair_id"])
    for chosen in ((("selection", "thumbs"), ("reason", "known")), (("selection", "clear"), ("arm", world.ARM))):
        asked = Asked(where="chosen_model = 'large'", chosen=chosen)
        session = Session("ann", where=lists["pair"].condition(asked))
        wanted = [number for number in lists["pair"].page(asked).ids if number not in same]
        assert wanted and sorted(label_sampling.list_pairs(Opened(folder).study(), session)) == wanted


@pytest.mark.parametrize(("path", "name", "text", "said"), [
    ("/traces", "where", "chosen.characters > 1", "is of a pair; of a single trace it is 'characters'"),
    ("/traces", "where", "rubric.logik > 1", "did you mean 'rubric.logic'"),
    ("/traces", "where", "reason.thumb = 'kept'", "did you mean 'reason.thumbs'"),
    ("/traces", "where", "status = 'lost'", "status is never 'lost'"),
    ("/traces", "generator", "nobody", "is not one of large, medium, small"),
    ("/prompts", "where", "sauce = 'sums'", "did you mean 'source'"),
    ("/prompts", "where", "read_text('/etc/passwd') = ''", "calls read_text()"),
    ("/prompts", "sort", "source::int", "Could not convert"),
    ("/prompts", "split", "test", "is not one of in_domain, out_of_domain, train"),
])  # fmt: skip
def test_what_cannot_be_asked_is_said_beside_its_field(
    viewed: Viewed, path: str, name: str, text: str, said: str
) -> None:
    answer = viewed.ask(f"{path}?{urlencode({name: text})}")
    assert answer.status == 400 and said.replace("'", "&#39;") in answer.text and "root:" not in answer.text
    assert f'id="fault-{name if "convert" not in said else "sort"}"' in answer.text


def test_a_browser_goes_from_a_list_to_a_row_to_the_next_and_back(viewed: Viewed) -> None:
    with launched() as browser, opened(browser, viewed.first) as (page, heard):
        page.get_by_role("link", name="Traces").click()
        page.wait_for_url("**/traces")
        page.get_by_label("judge and dimension").select_option("answer.correct")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**judge=answer.correct**")
        page.get_by_label("its score").select_option("0")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**score=0**")
        wrong = [row["trace_id"] for row in known() if row.get("answer.correct") == 0]
        assert page.locator("#count").inner_text().startswith(f"{len(wrong)} of {len(known())} traces")
        page.locator("tbody a").first.click()
        page.wait_for_url(f"**/trace/{wrong[0]}?**at=0")
        page.get_by_role("link", name="Next trace").click()
        page.wait_for_url(f"**/trace/{wrong[1]}?**at=1")
        page.get_by_role("link", name="Back to the list").click()
        page.wait_for_url("**/traces?**score=0")
        page.get_by_role("link", name="Prompts").click()
        page.wait_for_url("**/prompts")
        page.locator("th", has_text="pairs").get_by_role("link").click()
        page.wait_for_url("**sort=pairs&order=down")
        counts = [int(text) for text in page.locator("tbody tr td:nth-child(6)").all_inner_texts()]
        assert counts == sorted(counts, reverse=True) and counts[0] > 0
        page.locator("tbody a").first.click()
        page.wait_for_url(re.compile("/prompt/.*at=0"))
        assert page.locator("h1").inner_text().startswith("Prompt")
        assert heard.console == heard.dialogs == []
        assert all(address.startswith(viewed.root) or address == "data:," for address in heard.requests)


def test_a_study_of_traces_alone_opens_on_them(tmp_path: Path) -> None:
    made = world.sound()
    folder = world.write(made, tmp_path).parent
    for table in ("pairs", "decontamination"):
        (folder / f"data/{table}.parquet").unlink()
    for table in ("judgments", "unpaired", "deltas", "selections"):
        for file in (folder / "data" / table).glob("*.parquet"):
            file.unlink()
    (folder / "data/traces/small.parquet").unlink()
    with viewing(folder) as server:
        first = server.ask("/")
        assert "<h1>Traces</h1>" in first.text and "dvc repro pair" in first.text and first.status == 200
        assert f"{made.traces.filter(pl.col('generator') != 'small').height} of" in first.text
        assert "<h1>No pairs yet</h1>" in server.ask("/?where=true").text
        assert server.ask("/prompts").status == 200
        assert "no such table" in server.ask("/traces?where=rubric.logic+%3E+1").text
        for file in (folder / "data/traces").glob("*.parquet"):
            file.unlink()
        assert "dvc repro generate" in server.ask("/traces").text and "dvc repro pair" in server.ask("/").text
