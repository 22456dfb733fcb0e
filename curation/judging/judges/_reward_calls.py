"""What a reward model is sent of a trace, and the call that asks for its scores."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from curation.calls import scores
from curation.calls.call import Call
from curation.judging.conversation import Conversation, read_problem
from curation.judging.shown import NotShown, find_shown
from curation.judging.steps import split_shown
from curation.models import reward_model, weights
from curation.models.chat_template import RenderingFault, Template
from curation.models.reward_text import for_server, render_scored
from curation.tables.messages import for_model, full_messages

if TYPE_CHECKING:
    from curation.judging.judges.reward import Params


def write_texts(settings: "Params", traces: pl.DataFrame) -> Iterator[str | NotShown]:
    """What of each trace is scored, as the last message of its conversation."""
    shown = [
        find_shown(settings.shows, *texts) for texts in traces.select("reasoning", "completion", "status").iter_rows()
    ]
    opens, closes = settings.delimiters or ("", "\n\n")
    if settings.steps is None:
        for each in shown:
            yield each if isinstance(each, NotShown) else _join(each.reasoning, each.answer, opens, closes)
        return
    token = settings.steps.token
    for steps in split_shown(settings.steps.separator, shown):
        if isinstance(steps, NotShown):
            yield steps
        elif any(token in step for step in steps.all):
            yield NotShown("error", f"a step holds {token}, which ends steps")
        else:
            reasoning, answer = ("".join(f"{step}{token}" for step in part) or None for part in steps)
            yield _join(reasoning, answer, opens, closes)


def _join(reasoning: str | None, answer: str | None, opens: str, closes: str) -> str:
    """Both texts, or the one there is: an answer alone has no delimiters."""
    if reasoning is None:
        return answer or ""
    return f"{opens}{reasoning}{closes.rstrip() if answer is None else closes}{answer or ''}"


def make_caller(settings: "Params", prompts: pl.DataFrame) -> Callable[[int, str], Call | NotShown]:
    """A function from prompt_id and what is to be scored to the call that scores it, or why there is none."""
    problems = {row[0]: row[1:] for row in prompts.select("prompt_id", "prompt", "messages", "tools").iter_rows()}
    here = settings.engine if isinstance(settings.engine, reward_model.Params) else None
    revision = weights.identity(settings.revision, here.dtype if here else None)
    way: dict[str, str]
    if isinstance(settings.engine, scores.Params):
        way, sampling = {"route": settings.engine.route}, dict(settings.engine.extra or {})
        way |= {"server": settings.engine.speaks} if settings.engine.speaks != "vllm" else {}
    else:
        # not in the key: what was too long is asked again under a higher limit, and nothing else
        way, sampling = {"input": settings.engine.input}, {"max_tokens": settings.engine.max_length}
        way |= {"template_date": settings.engine.template_date} if settings.engine.template_date else {}
    token = settings.steps.token if settings.steps else None
    way |= {scores.STEP: token} if token else {}
    sampling |= {scores.SCORING: way}
    write_out = _make_writer(settings) if settings.writes_text else None

    def call_for(prompt_id: int, said: str) -> Call | NotShown:
        prompt, whole, tools = problems[prompt_id]
        messages = for_model(full_messages(prompt, whole))
        if settings.as_texts:
            messages, tools = [{"role": "user", "content": _write_problem(prompt, whole, tools)}], None
        if tools and here is None and not settings.writes_text:
            return NotShown("error", "the prompt has tools, of which no route for reward models is told")
        if token and any(token in str(message["content"]) for message in messages):
            return NotShown("error", f"the prompt holds {token}, which ends steps")
        messages = [*messages, {"role": "assistant", "content": said}]
        call = Call(settings.model, revision, messages, sampling, 0, tools=json.loads(tools) if tools else None)
        return write_out(call) if write_out else call

    return call_for


def _make_writer(settings: "Params") -> Callable[[Call], Call | NotShown]:
    """A function from a call to the same with its conversation as the one text that a server is sent, or why there is
    none."""
    tokenizer = weights.tokenizer(settings.model, settings.revision)
    template = Template(None, settings.engine.template_date)

    def write_out(call: Call) -> Call | NotShown:
        text = render_scored(tokenizer, call, template)
        text = text if isinstance(text, RenderingFault) else for_server(tokenizer, text)
        if isinstance(text, RenderingFault):
            return NotShown("error", str(text))
        return replace(call, messages=[{"role": "user", "content": text}], tools=None)

    return write_out


def _write_problem(prompt: Any, messages: str | None, tools: str | None) -> str:
    """A prompt as one text: its user message, or all its turns, each under a heading."""
    problem = read_problem(prompt, messages, tools)
    if isinstance(problem, Conversation):
        return "\n\n".join(f"{part.heading}:\n{part.text}" for part in problem.parts)
    return problem
