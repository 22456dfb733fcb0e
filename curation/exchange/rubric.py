"""A judge that is asked, at an endpoint of the user's: a rubric of three dimensions to start from."""

import os
from typing import Any
from urllib.parse import urlsplit

from curation.exchange.draft import Draft

HERE = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104
KEY = "OPENAI_API_KEY"
INSTRUCTIONS = (
    "You rate the reasoning in a solution to a problem. Rate each dimension from 1 (bad) to 5 (good), on its own. "
    "Reply with JSON only.\n"
)
DIMENSIONS: dict[str, dict[str, Any]] = {
    "correctness": {
        "description": "Is what the solution says right, and does it answer what was asked?",
        "scores": {1: "wrong", 2: "mostly wrong", 3: "partly right", 4: "right but for a detail", 5: "right"},
    },
    "step_coherence": {
        "description": "Does each step follow from the problem or from the step before?",
        "scores": {1: "none does", 2: "few do", 3: "about half do", 4: "all but one do", 5: "every step does"},
    },
    "signal_to_noise": {
        "description": "How much of the text helps to reach the answer?",
        "scores": {1: "almost none", 2: "less than half", 3: "about half", 4: "most", 5: "all of it"},
    },
}


def draft_rubric(draft: Draft, url: str, model: str) -> None:
    """A judge of kind rubric that asks `model` at `url`; its key is in the environment, where the server is another
    machine."""
    here = _host(url) in HERE
    endpoint = {
        "base_url": url, "api_key_env": None if here and not os.environ.get(KEY) else KEY, "concurrency": 8,
        "timeout_s": 600.0, "max_retries": 3, "validation_retries": 1, "engine": "unknown",
    }  # fmt: skip
    has_answer = any(one.get("columns", {}).get("answer") for one in draft.params["sources"].values())
    settings = {
        "kind": "rubric", "model": model, "revision": "unknown", "endpoint": endpoint,
        "sampling": {"temperature": 0.0, "max_tokens": 512, "seed": 0, "top_logprobs": 0},
        "repeats": 1, "calls": "together", "reference": has_answer, "rationale": False, "instructions": INSTRUCTIONS,
        "dimensions": DIMENSIONS,
    }  # fmt: skip
    if endpoint["api_key_env"] and not os.environ.get(KEY):
        draft.said.append(f"judges.rubric wants its key in {KEY}; export it, or write another name in api_key_env")
    name = draft.add("judges", "rubric", settings, "A rubric to start from: make it your own before you pay for it.")
    draft.note(("judges", name, "revision"), "the file's hash or the hub's commit that is served: it is in every "
               "call's key")  # fmt: skip
    draft.note(("judges", name, "endpoint", "engine"), "your word for the server and its version")


def _host(url: str) -> str | None:
    """The machine that an address names; None where it is no address, which the check of params says."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
