"""What a change comes from: the graph of dvc.lock, walked up from each table that differs. Only what differs can be the
cause: a setting, a name that came or went, a file of yours, or code."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from curation.core.canonical import canonical, list_texts
from curation.core.lock_file import settings_of
from curation.core.messages import first_names, show_value
from curation.explore.changes.renaming import Renamed
from curation.explore.changes.version import SECTIONS, Version
from curation.tables.contracts import ARMS

ABSENT = object()
KINDS = {  # of what a section of params.yaml decides
    "sources": "prompt", "decontaminate": "prompt", "generators": "trace", "judges": "judge",
    "pairwise_judges": "judge", "pair": "pairing", "delta": "delta", "scorers": "scorer", "selections": "selection",
    "generator_pairs": "arm", "controls": "arm", "grid": "arm", "methods": "training", "student": "training",
    "execution": "training", "evaluate": "evaluation", "contrasts": "contrast", "compare": "contrast",
}  # fmt: skip
RUBRIC = ("instructions", "dimensions", "scale", "scales", "criteria", "rubric")  # what a judge is told
MARKS = (".txt",)  # what a stage writes to come before another; no table is made of it
MOST_NAMED = 3
LONG, AROUND = 60, 20  # letters of a text of which only what differs is shown, and of what is shown around it


class Cause(NamedTuple):
    """One thing that differs, and `reached`, the tables that differ below it. Where several reach a table, dvc.lock
    cannot tell them apart."""

    kind: str
    what: str
    reached: tuple[str, ...] = ()


class Causes:
    """Why tables of two versions differ, by their file's name."""

    def __init__(self, before: Version, after: Version, renamed: Iterable[Renamed] = ()) -> None:
        self.versions = before, after
        self.renamed = {f"data/{one.table}/{one.after}.parquet": one for one in renamed}
        self.stages = [{path: out.stage for path, out in version.outs.items()} for version in self.versions]
        self.found: dict[str, frozenset[Cause]] = {}

    def of(self, file: str) -> frozenset[Cause]:
        """What a file's difference comes from; nothing where it is the same in both."""
        if file not in self.found:
            self.found[file] = frozenset()  # the graph has no circle; a damaged lock may
            self.found[file] = frozenset(self._find(file)) if self._differs(file) else frozenset()
        return self.found[file]

    def all(self) -> list[Cause]:
        """Every cause with the tables that it reaches, in the order of the stages: settings first, code last."""
        reached: dict[Cause, list[str]] = {}
        for file in sorted({**self.stages[0], **self.stages[1]}, key=self._place):
            for cause in sorted(self.of(file)) if file.endswith(".parquet") else ():
                reached.setdefault(cause, []).append(file)
        ordered = sorted(
            reached, key=lambda cause: (cause.kind in ("code", "again"), self._place(reached[cause][0]), cause)
        )
        return [cause._replace(reached=tuple(reached[cause])) for cause in ordered]

    def _place(self, file: str) -> tuple[int, str]:
        order = list(dict.fromkeys(stage.partition("@")[0] for version in self.versions for stage in version.stages))
        stage = self.stages[1].get(file) or self.stages[0][file]
        return order.index(stage.partition("@")[0]), file

    def _differs(self, file: str) -> bool:
        before, after = (version.outs.get(file) for version in self.versions)
        return before is None or after is None or before.md5 != after.md5

    def _find(self, file: str) -> Iterator[Cause]:
        stages = [of.get(file) for of in self.stages]
        if file in self.renamed:
            yield self._of_name(self.renamed[file].before, file, f"renamed {self.renamed[file].after}")
            return
        if None in stages:
            yield self._of_name(PurePosixPath(file).stem, file, "removed" if stages[1] is None else "added")
            return
        bodies = [version.stages[str(stage)] for version, stage in zip(self.versions, stages, strict=True)]
        found = [*self._of_settings(file, *bodies), *self._of_inputs(file, *bodies)]
        verb = str(stages[1]).partition("@")[0]
        code = _changed_code(*bodies)
        if code:
            found.append(Cause("code", f"code of {verb}: {first_names(code, MOST_NAMED)}"))
        elif not found and bodies[0].get("cmd") != bodies[1].get("cmd"):
            found.append(
                Cause(
                    "code",
                    f"command of {verb}: {show_value(bodies[0].get('cmd'))} → {show_value(bodies[1].get('cmd'))}",
                )
            )
        yield from found or [Cause("again", f"{stages[1]}: ran again, from the same, to another table")]

    def _of_name(self, name: str, file: str, became: str) -> Cause:
        """Of a table whose part came, went or has another name: the name in params.yaml that did."""
        table, part = _split(file)
        has = self.versions[became != "removed"].params
        sections = [section for section in SECTIONS.get(table, ()) if part in (has.get(section) or {})]
        if sections:
            return Cause(KINDS[sections[0]], f"{sections[0]}.{name}: {became}")
        if table == "deltas":
            return Cause("delta", f"delta.panels.{name}: {became}")
        return Cause(KINDS.get(table, "arm"), f"{table} {name}: {became}")

    def _of_settings(self, file: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Cause]:
        for place, old, new in differences(settings_of(before), settings_of(after)):
            if self._reads_setting(file, place):
                yield Cause(_kind(place), f"{place}: {_show(old, new)}")

    def _of_inputs(self, file: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Cause]:
        """What the tables come from that this one is made of, and users' files."""
        paths = dict.fromkeys(dep["path"] for body in (before, after) for dep in body.get("deps") or [])
        made = self.stages[0].keys() | self.stages[1].keys()
        for path in (path for path in paths if path.startswith("data/") and not path.endswith(MARKS)):
            inside = [name for name in made if name == path or PurePosixPath(path) in PurePosixPath(name).parents]
            for name in inside:
                if self._reads_table(file, name):
                    yield from self.of(name)
            if not inside and len({_md5_of(path, body) for body in (before, after)}) > 1:
                folder = (_md5_of(path, after) or "").endswith(".dir")
                yield Cause("input", f"{path}: {'other files in it' if folder else 'another file'}")

    def _reads_table(self, file: str, name: str) -> bool:
        """Whether the rows of `file` can depend on the table `name`: a judge's deltas on its own judgments only, a
        selection on the judges that its expressions name."""
        table, part = _split(name)
        ours, own = _split(file)
        if ours == "deltas" and table in ("judgments", "preferences"):
            return part in self._members(own)
        named = self._expressions(ours, own)
        if named is None:
            return True
        if table in ("judgments", "preferences"):
            return False
        if table in ("deltas", "pair_scores"):
            return re.search(rf"(?<![\w-]){re.escape(part)}(?![\w-])", named) is not None
        return table not in ("generator_deltas", "renderings") or (
            "generator_delta" in named if table == "generator_deltas" else "tokens" in named
        )

    def _reads_setting(self, file: str, place: str) -> bool:
        """Whether the rows of `file` can depend on a setting of its stage."""
        ours, own = _split(file)
        section, _, rest = place.partition(".")
        if ours == "deltas" and place.startswith("delta.panels."):
            return rest.split(".")[1] == own
        if ours == ARMS and section == "selections":
            return own.startswith(f"{rest.split('.')[0]}-")
        return not (ours in ("selections", "subsets", "unpaired", ARMS) and section == "reliability")

    def _members(self, judge: str) -> set[str]:
        """The judges whose scores the deltas of a judge or a panel are made of."""
        panels = [(version.params.get("delta") or {}).get("panels") or {} for version in self.versions]
        return {judge} | {member.get("judge") for of in panels for member in (of.get(judge) or {}).get("members") or []}

    def _expressions(self, table: str, name: str) -> str | None:
        """All that a selection says in params.yaml, of either version; None of what is no selection's nor arm's."""
        if table not in ("selections", "subsets", "unpaired", ARMS):
            return None
        said = list[str]()
        for version in self.versions:
            of = version.params.get("selections") or {}
            said += (
                " ".join(list_texts(body)) for key, body in of.items() if name == key or name.startswith(f"{key}-")
            )
            if table == ARMS:
                said += (" ".join(list_texts(version.params.get(key))) for key in ("controls", "generator_pairs"))
        return " ".join(said)


def differences(before: Any, after: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The innermost settings that differ: their place, as `judges.rubric.repeats`, and both values, ABSENT where there
    is none."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*before, *after)):
            inner = f"{place}.{key}" if place else str(key)
            yield from differences(before.get(key, ABSENT), after.get(key, ABSENT), inner)
    elif ABSENT in (before, after) or before is ABSENT or after is ABSENT or canonical(before) != canonical(after):
        yield place, before, after


def _kind(place: str) -> str:
    section, *rest = place.split(".")
    kind = KINDS.get(section, section)
    return "rubric" if kind == "judge" and set(rest[1:2]) & set(RUBRIC) else kind


def _show(before: Any, after: Any) -> str:
    """Both values; of longer texts what differs, with some letters around."""
    if isinstance(before, str) and isinstance(after, str) and max(len(before), len(after)) > LONG:
        start = max(0, _count_shared(before, after) - AROUND)
        rest = before[start:], after[start:]
        end = max(0, _count_shared(*(text[::-1] for text in rest)) - AROUND)
        return " → ".join(show_value(text[: len(text) - end]) for text in rest)
    if isinstance(before, list) and isinstance(after, list) and (said := _show_lists(before, after)):
        return said
    return " → ".join("absent" if value is ABSENT else show_value(value) for value in (before, after))


def _show_lists(before: list[Any], after: list[Any]) -> str:
    """What came into a list and what went; nothing where its order differs."""
    went, came = ([one for one in part if one not in other] for part, other in ((before, after), (after, before)))
    if [one for one in before if one not in went] != [one for one in after if one not in came]:
        return ""
    told = ((f"without {show_value(one)}" for one in went), (f"with {show_value(one)}" for one in came))
    return ", ".join(one for part in told for one in part)


def _count_shared(before: str, after: str) -> int:
    """How many letters both begin with."""
    letters = enumerate(zip(before, after, strict=False))
    return next((place for place, (one, other) in letters if one != other), min(len(before), len(after)))


def _changed_code(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The files and folders of code that a stage depends on and that are not the same."""
    paths = dict.fromkeys(dep["path"] for body in (before, after) for dep in body.get("deps") or [])
    code = (path for path in paths if not path.startswith("data/"))
    return [path for path in code if _md5_of(path, before) != _md5_of(path, after)]


def _md5_of(path: str, stage: Mapping[str, Any]) -> str | None:
    return next((dep.get("md5") for dep in stage.get("deps") or [] if dep["path"] == path), None)


def _split(file: str) -> tuple[str, str]:
    """The table that a file is of, and the name of its part: of `data/arms/subsets/NAME.parquet` arms and NAME."""
    path = PurePosixPath(file)
    return (path.parts[1] if len(path.parts) > 2 else path.stem), path.stem
