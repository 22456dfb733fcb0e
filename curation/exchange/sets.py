"""Which layout of a preference set a file has: pairs, votes, ranked or rated lists of responses, labels."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from curation.core.messages import first_names
from curation.exchange.answers import guess_verifier
from curation.exchange.guess import Guess, Roles
from curation.exchange.looking import SEEN, Column, Kind, Look, as_number
from curation.exchange.rating_columns import find_ratings, rating_name
from curation.exchange.roles import find_prompt_by_content
from curation.exchange.words import column_name, names_model, rate_name, split_name
from curation.prompts.preferences.answers import list_turns

SIDES: tuple[Kind, ...] = ("text", "messages", "message")
BETTER = {  # what the better of two is called, and the worse
    "chosen": "rejected", "preferred": "dispreferred", "accepted": "rejected", "winner": "loser", "better": "worse",
    "positive": "negative", "pos": "neg", "good": "bad", "win": "lose", "won": "lost", "wins": "loses", "best": "worst",
}  # fmt: skip
BOTH = (("a", "b"), ("1", "2"), ("0", "1"), ("left", "right"), ("one", "two"), ("first", "second"), ("x", "y"))
WINNERS = (
    "winner", "preference", "overall_preference", "preferred", "vote", "verdict", "choice", "better", "chosen", "label",
    "labels",
    "judgment", "judgement", "annotation", "better_response_id", "human_preference", "besser", "gewinner", "sieger",
    "mejor", "ganador", "meilleur", "胜者", "偏好", "勝者", "победитель",
)  # fmt: skip
LABELS = (
    "label", "desirable", "is_desirable", "thumbs", "thumbs_up", "feedback", "liked", "is_good", "good", "accepted",
    "is_safe", "is_chosen", "vote", "rating", "score",
)  # fmt: skip
TIES, NEITHER = ("tie", "draw", "equal", "same", "both", "unentschieden", "gleich", "平"), ("bad", "neither", "none")
GOOD, BAD = ("👍", "good", "up", "yes", "desirable", "positive", "like", "liked"), (
    "👎", "bad", "down", "no", "undesirable", "negative", "dislike", "disliked",
)  # fmt: skip
OVERALL = ("overall_score", "overall", "score", "rating", "quality", "helpfulness", "reward")
WRITERS = ("source", "by", "author")  # after the name of a side: who wrote it
VOTED = ("votes", "upvotes", "ups", "likes")
ORDERED = re.compile(r"\W*(\w+)\s*(>+|<+|=+)\s*(\w+)\W*")  # `A>B`, `[[A=B]]`
SHORT_WORDS, MOST_CARRIED = 24, 4  # characters of a column that is carried, and how many are
MOST_WORDS = 12  # that a column of winners has
TURNS = (("\n\nHuman:", "\n\nAssistant:"), ("\n\nH:", "\n\nA:"), ("\nUser:", "\nAssistant:"))
MARKED = ("<extra_id_1>User\n", "<extra_id_1>Assistant\n")  # which no text has by chance


def guess_set(look: Look) -> Guess | None:
    """The preference set that a file holds, None where it is none."""
    for find in (_find_pair, _find_votes, _find_choice, _find_list):
        roles = Roles(look)
        if (layout := find(roles)) is not None:
            return _with_columns(roles, layout)
    return None


def guess_rated(guess: Guess) -> Guess | None:
    """As `guess_set`, of a file of which each row has one completion, with ratings or a label beside it."""
    completion = guess.column("completion")
    if (
        guess.holds != "traces"
        or guess.wide
        or completion is None
        or completion.kind not in ("text", "message", "messages")
    ):
        return None
    label = _find_label(guess)
    if label is None and not guess.ratings:
        return None
    roles = Roles(guess.look, [completion.name])
    if label is not None:
        roles.taken.add(label.name)
        name = column_name(" ".join(split_name(label.name)), "label")
        words = _find_words_of(label)
        layout = {"kind": "labelled", "completion": completion.name, "label": label.name, "rating": name, **words}
        return _with_columns(roles, layout)
    layout = {"kind": "responses", "text": completion.name}
    return _with_columns(roles, layout, guess.ratings)


def _with_columns(roles: Roles, layout: dict[str, Any], ratings: Mapping[str, Column] | None = None) -> Guess:
    """The layout with the model and the ratings that stand beside it, and the columns of the prompt."""
    of_rows = layout["kind"] == "labelled" or (layout["kind"] == "responses" and "each" not in layout)
    if of_rows and "model" not in layout and (models := roles.find("model")):
        roles.taken.add(models[0].name)
        layout["model"] = models[0].name
    if ratings:
        layout["ratings"] = {name: column.name for name, column in ratings.items()}
        roles.taken.update(layout["ratings"].values())
    if layout["kind"] == "responses" and layout.get("ratings"):
        names = list(layout["ratings"])
        layout["order_by"] = next((name for name in OVERALL if name in names), names[0])
        others = [name for name in names if name != layout["order_by"]]
        said = f"; or {first_names(others, 5)}, or null: the file lists no pairs then" if others else ""
        roles.notes["order_by"] = f"guessed: which of two responses is the better one{said}"
    _take_prompt(roles, layout)
    for role in ("system", "tools"):
        roles.take(role)
    ids = [one for one in roles.find("prompt_id", ("text", "number")) if not one.nulls]
    if unique := [one for one in ids if one.distinct == roles.look.rows]:
        roles.set("row_id", unique[0], "", unique[1:])
    _take_answer(roles)
    carried = find_carried(roles)
    roles.take("task")
    return Guess(roles.look, "preferences", roles.columns, [], layout, {}, roles.notes, carried)


def _take_prompt(roles: Roles, layout: Mapping[str, Any]) -> None:
    """The column of prompts or conversations; where the sides are conversations, one that these repeat, if any."""
    conversations = [one for one in roles.free("messages") if rate_name(one.name, "prompt") is None]
    if _is_whole(roles, layout):
        side = _side(roles.look, layout)
        repeated = [one for one in roles.find("prompt") if side is not None and _is_repeated(one, side)]
        if repeated:
            roles.set("prompt", repeated[0], "", repeated[1:])
    elif roles.take("prompt") is None:
        if conversations:
            roles.set("messages", conversations[0], "", conversations[1:])
        else:
            find_prompt_by_content(roles)


def _is_repeated(prompt: Column, side: Column) -> bool:
    """Whether conversations, in lists or in one text, say what the column of prompts does."""
    both = [(one, two) for one, two in zip(prompt.values, side.values, strict=True) if one and two][:SEEN]
    return bool(both) and all(_said_last(asked).strip() in _said_by(said) for asked, said in both)


def _said_last(prompt: Any) -> str:
    last = prompt[-1] if isinstance(prompt, list) else prompt
    return str(last.get("content", last.get("value")) if isinstance(last, dict) else last)


def _said_by(conversation: Any) -> str | list[str]:
    return [_said_last([turn]).strip() for turn in conversation] if isinstance(conversation, list) else conversation


def _take_answer(roles: Roles) -> None:
    """The column of gold answers, if a verifier reads what it has."""
    for column in roles.find("answer", ("text", "number")):
        if guess_verifier([str(value) for value in column.given]).settings in ("math", "choice"):
            roles.set("answer", column, "")
            return


def _is_whole(roles: Roles, layout: Mapping[str, Any]) -> bool:
    """Whether the sides are conversations, in lists or in one text, which hold the prompt themselves."""
    side = _side(roles.look, layout)
    if side is None:
        return False
    lists = [one for one in side.given if isinstance(one, list)]
    return (
        any(len(one) > 1 and isinstance(one[0], dict) for one in lists)
        or _find_turns([one for one in side.given if isinstance(one, str)]) is not None
    )


def _side(look: Look, layout: Mapping[str, Any]) -> Column | None:
    """The column of the first side, or of the completions."""
    return look.columns.get(str(layout.get("chosen", layout.get("a", layout.get("completion", "")))))


def find_transcript(guess: Guess) -> dict[str, Any] | None:
    """What begins the turns of prompts, or of sides, that are whole conversations in one text."""
    layout = guess.layout or {}
    side = _side(guess.look, layout)
    told = guess.column("prompt") or (None if "messages" in guess.columns else side)
    if told is None or told.kind != "text":
        return None
    return _find_turns([value for value in told.given if isinstance(value, str)])


def has_turns(guess: Guess) -> bool:
    """Whether prompts and sides are the JSON of lists of texts, one for each turn."""
    prompt, side = guess.column("prompt"), _side(guess.look, guess.layout or {})
    both = [[_listed(value) for value in one.given[:SEEN]] for one in (prompt, side) if one is not None]
    return len(both) == 2 and all(lists and all(lists) for lists in both)


def _listed(value: Any) -> bool:
    try:
        return isinstance(value, str) and value.startswith("[") and bool(list_turns(value))
    except ValueError:
        return False


def _find_turns(texts: Sequence[str]) -> dict[str, Any] | None:
    """What begins the turns of texts that are conversations."""
    if any(MARKED[1] in text for text in texts):
        return dict(zip(("user", "assistant"), MARKED, strict=True))
    for user, assistant in TURNS:
        if texts and all(text.startswith((user, user.lstrip())) and assistant in text for text in texts[:200]):
            return {"user": user, "assistant": assistant}
    return None


def find_carried(roles: Roles) -> list[str]:
    """Short columns that play no part, which go with pairs to where they are used: a language, a source."""
    found = [*roles.find("task"), *roles.free("text", "truth")]
    return list(dict.fromkeys(one.name for one in found if one.length <= SHORT_WORDS and one.distinct > 1))[
        :MOST_CARRIED
    ]


def _find_pair(roles: Roles) -> dict[str, Any] | None:
    columns = _surest_sides(roles)
    columns |= {one.name: one for one in roles.look.of_kind("texts")}  # several of each
    for better, worse in BETTER.items():
        for name, column in sorted(columns.items(), key=lambda entry: entry[0] != better):
            other = _swap(name, better, worse, columns)
            if other is None or columns[other].kind != column.kind:
                continue
            roles.taken.update((name, other))
            layout: dict[str, Any] = {"kind": "pair", "chosen": name, "rejected": other}
            beside = {
                one.name: swapped
                for one in roles.free("text", "number")
                if (swapped := _swap(one.name, better, worse, roles.look.columns)) is not None
            }
            ratings = {}
            for chosen, rejected in beside.items():
                roles.taken.update((chosen, rejected))
                if roles.look.columns[chosen].kind == "number":
                    words = [word for word in split_name(chosen) if word not in (better, worse)]
                    ratings[column_name(" ".join(words), "score")] = {"chosen": chosen, "rejected": rejected}
                elif _names_writer(chosen, name):
                    layout |= {"chosen_model": chosen, "rejected_model": rejected}
            return layout | ({"ratings": ratings} if ratings else {})
    return None


def _find_votes(roles: Roles) -> dict[str, Any] | None:
    columns = _surest_sides(roles)
    for a, b in BOTH:
        for name, column in columns.items():
            other = _swap(name, a, b, columns)
            if other is None or columns[other].kind != column.kind:
                continue
            if column.kind == "text" and max(column.length, columns[other].length) < 2:
                continue
            won = _find_winner(roles, {name, other}, a, b)
            if won is None:
                continue
            winner = won["winner"]
            roles.taken.update((name, other, *([winner] if isinstance(winner, str) else winner.values())))
            layout = {"kind": "votes", "a": name, "b": other, **won} | _find_writers(roles, name, a, b)
            if ratings := _find_ratings_of_sides(roles, a, b):
                layout["ratings"] = ratings
            return layout
    return None


def _find_writers(roles: Roles, side: str, a: str, b: str) -> dict[str, Any]:
    for one in roles.free("text"):
        swapped = _swap(one.name, a, b, roles.look.columns)
        if swapped is not None and _names_writer(one.name, side):
            roles.taken.update((one.name, swapped))
            return {"model_a": one.name, "model_b": swapped}
    return {}


def _find_ratings_of_sides(roles: Roles, a: str, b: str) -> dict[str, dict[str, str]]:
    """A number of each side that rates it."""
    found = {}
    for one in roles.free("number"):
        other = _swap(one.name, a, b, roles.look.columns)
        if other is None or rate_name(one.name, "score") is None or roles.look.columns[other].kind != "number":
            continue
        roles.taken.update((one.name, other))
        words = [word for word in split_name(one.name) if word != a]
        found[column_name(" ".join(words), "score")] = {"a": one.name, "b": other}
    return found


def _surest_sides(roles: Roles) -> dict[str, Column]:
    """The columns that may be sides by their names: conversations first, then what is called a completion, then the
    longest texts; an id, a hash or a model of each side stands beside the side itself."""
    sides = [one for one in roles.look.of_kind("text") if not _only_names_model(one.name)]
    sides.sort(key=lambda one: (rate_name(one.name, "completion") is None, _are_words(one), -one.length))
    return {one.name: one for one in [*roles.look.of_kind("messages", "message"), *sides]}


def _are_words(column: Column) -> bool:
    """Whether texts have no blanks, as ids, hashes and names have none."""
    return not any(" " in text for text in column.given[:SEEN] if isinstance(text, str))


def _names_writer(name: str, side: str) -> bool:
    """Whether a column says who wrote the side: by the word for a model, or as `response_0_source` beside
    `response_0`."""
    words, of_side = split_name(name), split_name(side)
    return names_model(name) or (words[:-1] == of_side and words[-1] in WRITERS)


def _only_names_model(name: str) -> bool:
    return names_model(name) and rate_name(name, "completion") is None


def _swap(name: str, one: str, other: str, names: Mapping[str, Any]) -> str | None:
    """The name that has `other` where `name` has the word `one`, if there is one of it."""
    before = r"(?<!\d)" if one.isdigit() else r"(?<![^\W_\d])"  # `response1`
    for found in re.finditer(rf"{before}{re.escape(one)}(?![^\W_])", name, re.IGNORECASE):
        for word in (other, other.upper(), other.capitalize()):
            swapped = name[: found.start()] + word + name[found.end() :]
            if swapped != name and swapped in names:
                return swapped
    return None


def _find_winner(roles: Roles, sides: set[str], a: str, b: str) -> dict[str, Any] | None:
    """The column that says which of two sides won, and in which words."""
    found = [
        one
        for one in roles.free("text", "number", "truth")
        if one.name not in sides and one.distinct <= MOST_WORDS and _is_winner(one.name)
    ]
    if (each := _find_winner_columns(roles, a, b)) is not None:
        return {"winner": each}
    found.sort(key=lambda one: min(WINNERS.index(word) for word in _winner_words(one.name)))
    for column in found:
        if column.kind == "number" and min(column.numbers) < 0:
            roles.notes["winner"] = "guessed: a number below 0 speaks for the first; write b if for the second"
            rating = {"rating": "strength"} if max(map(abs, column.numbers)) > 1 else {}
            return {"winner": column.name, "negative": "a"} | rating
        words = _turn(roles, column, _read_words(column, a, b), a, b)
        if words["a"] and words["b"]:
            unsaid = [vote for vote, own in words.items() if not own]
            roles.notes["winner"] = "guessed: which word says which, of those that the file has"
            return {"winner": column.name, "words": {vote: own for vote, own in words.items() if vote not in unsaid}}
    return None


def _find_winner_columns(roles: Roles, a: str, b: str) -> dict[str, str] | None:
    """A column for each vote, with 1 where that was the vote."""
    marks = {
        one.name: one
        for one in roles.free("number", "truth")
        if _is_winner(one.name) and {_spell(value).lower() for value in one.given} <= {"0", "1", "true", "false"}
    }
    for name in marks:
        if (other := _swap(name, a, b, marks)) is not None:
            ties = [tie for tie in marks if set(split_name(tie)) & set(TIES)]
            return {"a": name, "b": other} | ({"tie": ties[0]} if ties else {})
    return None


def _turn(roles: Roles, column: Column, words: dict[str, list[Any]], a: str, b: str) -> dict[str, list[Any]]:
    """The words, the other way round where scores of the two sides say so: 1 may be the first side, or mean yes."""
    for one in roles.free("number"):
        other = _swap(one.name, a, b, roles.look.columns)
        if other is None or roles.look.columns[other].kind != "number" or not _counts_for(one.name):
            continue
        more = 0
        for value, left, right in zip(column.values, one.values, roles.look.columns[other].values, strict=True):
            sides = [side for side in ("a", "b") if _spell(value) in words[side]]
            if sides and left is not None and right is not None and float(left) != float(right):
                more += 1 if (float(left) > float(right)) == (sides[0] == "a") else -1
        return words | {"a": words["b"], "b": words["a"]} if more < 0 else words
    return words


def _counts_for(name: str) -> bool:
    """Whether a number of this name is the higher the better: a score or votes, and no time."""
    return rate_name(name, "score") is not None or not set(split_name(name)).isdisjoint(VOTED)


def _is_winner(name: str) -> bool:
    return bool(_winner_words(name))


def _winner_words(name: str) -> list[str]:
    words = split_name(name)
    return [word for word in ("_".join(words), *words) if word in WINNERS]


def _read_words(column: Column, a: str, b: str) -> dict[str, list[Any]]:
    """Which of a column's values say that the first side won, the second, neither."""
    said: dict[str, list[Any]] = {"a": [], "b": [], "tie": [], "both_bad": []}
    for value in sorted({_spell(value) for value in column.given}):
        words = split_name(value) if as_number(value) is None else [value]
        if (ordered := ORDERED.fullmatch(value)) is not None:
            first, sign, second = (part.lower() for part in ordered.groups())
            words = [TIES[0]] if "=" in sign else [first if ">" in sign else second]
        if any(bad in word for word in words for bad in NEITHER):
            said["both_bad"].append(value)
        elif any(word in TIES for word in words):
            said["tie"].append(value)
        elif a in words and b not in words:
            said["a"].append(value)
        elif b in words and a not in words:
            said["b"].append(value)
        else:
            said["tie"].append(value)
    if not (said["a"] and said["b"]):  # numbers that count the sides otherwise
        values = [*said["a"], *said["b"], *said["tie"]]
        for first, second in (("0", "1"), ("1", "2"), ("true", "false"), ("a", "b"), ("left", "right")):
            spelt = {value.lower(): value for value in values}
            if first in spelt and second in spelt:
                rest = [value for word, value in spelt.items() if word not in (first, second)]
                return said | {"a": [spelt[first]], "b": [spelt[second]], "tie": rest}
    return said


def _spell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    number = None if isinstance(value, str) else as_number(value)
    return str(int(number)) if number is not None and number == int(number) else str(value).strip()


def _find_choice(roles: Roles) -> dict[str, Any] | None:
    """A list of two responses in each row, and the number of the better one."""
    choices = [one for one in roles.free("number", "truth") if _is_winner(one.name) and one.distinct == 2]
    for column in roles.look.of_kind("structs", "samples"):
        inner = Roles(Look(roles.look.path, 2 * roles.look.rows, True, column.fields()))
        texts = inner.find("completion", ("text", "messages", "message"))
        if not (texts and choices) or any(len(one) != 2 for one in column.given):
            continue
        models = inner.find("model")
        words = _read_words(choices[0], "0", "1")
        first, second = (f"{column.name}.{number}" for number in range(2))
        roles.taken.update((column.name, choices[0].name))
        roles.notes["winner"] = "guessed: which word says which, of those that the file has"
        layout = {"kind": "votes", "a": f"{first}.{texts[0].name}", "b": f"{second}.{texts[0].name}"}
        layout |= {"model_a": f"{first}.{models[0].name}", "model_b": f"{second}.{models[0].name}"} if models else {}
        return layout | {"winner": choices[0].name, "words": {side: words[side] for side in ("a", "b")}}
    return None


def _find_list(roles: Roles) -> dict[str, Any] | None:
    """A list of responses in each row, with ranks or ratings of each; or lists side by side."""
    for column in roles.look.of_kind("structs", "samples"):
        fields = column.fields()
        inner = Roles(Look(roles.look.path, max((len(one.values) for one in fields.values()), default=0), True, fields))
        texts = inner.find("completion", ("text", "messages", "message")) or inner.find("answer", ("text",))
        ranks = [one for one in inner.free("number") if "rank" in split_name(one.name)]
        ratings = dict(_ratings_of(inner))
        if not texts or not (ranks or ratings) or any(one.nulls == len(one.values) for one in texts[:1]):
            continue
        roles.taken.add(column.name)
        models = inner.find("model")
        layout: dict[str, Any] = {"each": column.name, "text": texts[0].name}
        layout |= {"model": models[0].name} if models else {}
        if ranks:
            return {"kind": "ranked"} | layout | {"rank": ranks[0].name, "rating": "rank"}
        return {"kind": "responses"} | layout | {"ratings": ratings} | _rationales(fields, ratings)
    return _find_parallel(roles)


def _ratings_of(inner: Roles) -> Iterator[tuple[str, str]]:
    """The ratings of a response in a list, also those that are texts of numbers but for a few."""
    named = find_ratings(inner)
    yield from ((name, one.name) for name, one in named.items())
    for column in inner.free("number", "text"):
        if not column.name.lower().endswith(".rating"):  # of an object for each aspect, as UltraFeedback has them
            continue
        if len(column.numbers) < max(1, len(column.given) // 2):
            continue
        yield rating_name(column.name), column.name


def _rationales(fields: Mapping[str, Column], ratings: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for name, path in ratings.items():
        beside = f"{path.rpartition('.')[0]}.Rationale"
        if "." in path and beside in fields and fields[beside].kind == "text":
            found[name] = beside
    return {"rationales": found} if found else {}


def _find_parallel(roles: Roles) -> dict[str, Any] | None:
    texts = [one for one in roles.look.of_kind("texts") if rate_name(one.name, "answer") is None or
             rate_name(one.name, "completion") is not None]  # fmt: skip
    for column in texts:
        beside = [one for one in roles.look.of_kind("numbers") if _stands_beside(one, column)]
        ranks = [one for one in beside if "rank" in split_name(one.name) or "ranks" in split_name(one.name)]
        models = [one for one in roles.look.of_kind("texts") if one is not column and _names_models(one, column)]
        if not beside or max(map(len, column.given), default=0) < 2:
            continue
        roles.taken.update(one.name for one in (column, *beside, *models))
        layout: dict[str, Any] = {"text": column.name} | ({"model": models[0].name} if models else {})
        if ranks:
            return {"kind": "ranked"} | layout | {"rank": ranks[0].name, "rating": "rank"}
        ratings = {rating_name(one.name): one.name for one in beside}
        reasons = [one for one in roles.free("texts") if "rationales" in split_name(one.name)]
        of_one = {"rationales": {next(iter(ratings)): reasons[0].name}} if reasons and len(ratings) == 1 else {}
        return {"kind": "responses"} | layout | {"ratings": ratings} | of_one
    return None


def _stands_beside(column: Column, other: Column) -> bool:
    """Whether lists are as long as those of another column, where both have one."""
    both = [(one, two) for one, two in zip(column.values, other.values, strict=True) if one is not None and two]
    return bool(both) and all(len(one) == len(two) for one, two in both)


def _names_models(column: Column, other: Column) -> bool:
    return names_model(column.name) and _stands_beside(column, other)


def _find_label(guess: Guess) -> Column | None:
    """A column of two values that says of a completion whether it is good."""
    taken = {name for role, name in guess.columns.items() if role != "answer"}
    for column in guess.look.of_kind("truth", "number", "text"):
        words = split_name(column.name)
        if column.name in taken or not ("_".join(words) in LABELS or set(words) & set(LABELS)):
            continue
        values = {_spell(value).lower() for value in column.given}
        if values <= {"true", "false"} or values <= {"0", "1"} or (values <= {*GOOD, *BAD} and values):
            return column
    return None


def _find_words_of(label: Column) -> dict[str, Any]:
    values = sorted({_spell(value) for value in label.given})
    if label.kind != "text" or {value.lower() for value in values} <= {"true", "false", "0", "1"}:
        return {}
    good = [value for value in values if value.lower() in GOOD]
    bad = [value for value in values if value not in good]
    return {"words": {"good": good or ["good"], "bad": bad or ["bad"]}}
