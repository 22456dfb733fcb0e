"""The far side of `engines/vllm.py`: reads calls on stdin, writes replies on stdout as they come, a line of JSON each.

Runs in whatever environment has vllm, so it imports nothing of ours. The first line says how to start the engine.
"""

import json
import os
import re
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

HERE = str(Path(__file__).resolve().parent)
sys.path = [folder for folder in sys.path if folder != HERE]  # its vllm.py is not the one meant below


def main() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # vllm prints; only replies may reach stdout
    arguments = json.loads(sys.stdin.readline())
    template, adapter = arguments.pop("template", None), arguments.pop("adapter", None)
    import vllm
    import vllm.platforms

    if vllm.platforms.current_platform.is_cpu():
        # or vllm 0.32 dies of a seeded call whose prompt it takes in parts
        arguments["enable_chunked_prefill"] = False
    engine = vllm.LLM(**arguments).llm_engine
    tokenizer, told = engine.get_tokenizer(), dict[str, Any]()
    if template:
        told["strftime_now"] = clock(template["day"])
        if template["text"]:
            tokenizer.chat_template = template["text"]
    special, marks, lora = special_tokens(tokenizer), list[str](), None
    if adapter:
        from vllm.lora.request import LoRARequest

        lora = LoRARequest("run", 1, adapter)
    print(json.dumps({"ready": True, "special": sorted(set(special.values()))}), file=out, flush=True)
    calls: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
    threading.Thread(target=listen, args=(calls,), daemon=True).start()
    while True:
        for call in take(calls, wait=not engine.has_unfinished_requests()):
            if call is None:
                return
            marks = call["marks"]
            add(vllm, engine, tokenizer, call, told, out, lora)
        for output in engine.step() if engine.has_unfinished_requests() else ():  # none where all were refused
            if output.finished:
                text = decode(tokenizer, special, marks, output.outputs[0])
                print(json.dumps(reply(vllm, output, text)), file=out)
        out.flush()


def listen(calls: "SimpleQueue[dict[str, Any] | None]") -> None:
    """Put every call that comes on stdin into `calls`, and None at its end."""
    for line in sys.stdin:
        calls.put(json.loads(line))
    calls.put(None)


def take(calls: "SimpleQueue[dict[str, Any] | None]", wait: bool) -> list[dict[str, Any] | None]:
    """Drain `calls`; with `wait`, wait for at least one."""
    taken = [calls.get()] if wait else []
    try:
        while True:
            taken.append(calls.get_nowait())
    except Empty:
        return taken


def clock(day: str | None) -> Callable[[str], str]:
    """The `strftime_now` of chat templates, at midnight of `day`. Without a day it raises ValueError."""

    def strftime_now(form: str) -> str:
        if day is None:
            raise ValueError("the chat template writes the day that it is asked on; fix it as template_date")
        return datetime.fromisoformat(day).strftime(form)

    return strftime_now


def add(
    vllm: Any, engine: Any, tokenizer: Any, call: dict[str, Any], told: dict[str, Any], out: Any, lora: Any
) -> None:
    """Give the engine one call, of which the chat template is `told` more, to be answered with the adapter `lora`, if
    it is one. The reply to a call that is refused, say one that is too long, is the error."""
    sampling = {**call["sampling"], "top_k": call["sampling"]["top_k"] or -1}
    try:
        require_read(tokenizer, call["template"])
        prompt = write_prompt(tokenizer, call, told)
        params = vllm.SamplingParams(**sampling)
        engine.add_request(call["key"], {"prompt_token_ids": prompt}, params, lora_request=lora)
    except Exception as error:  # vllm's own classes are no ValueError, and one call is no reason to lose the others
        message = " ".join(str(error).split())[:300]
        refused = {"key": call["key"], "text": None, "finish_reason": "error", "error": message, "engine": name(vllm)}
        print(json.dumps(refused), file=out, flush=True)


def write_prompt(tokenizer: Any, call: dict[str, Any], told: dict[str, Any]) -> Any:
    """The ids of a call's messages, with the arguments of tools as text where the template refuses the values."""

    def written(messages: Any) -> Any:
        settings = call["template"] | told
        return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False, **settings)

    try:
        return written(call["messages"])
    except Exception:
        if call["as_text"] == call["messages"]:
            raise
        return written(call["as_text"])


def require_read(tokenizer: Any, settings: dict[str, Any]) -> None:
    """Nothing. Raises ValueError where the chat template does not have the name of a setting, which would do nothing,
    and say nothing."""
    read = getattr(tokenizer, "get_chat_template", None)  # mistral-common's has no template to look at
    template = settings.get("chat_template") or (read(tools=settings.get("tools")) if read else None)
    for name in settings.keys() - {"chat_template"}:
        if template is not None and not re.search(rf"\b{re.escape(name)}\b", template):
            raise ValueError(f"the chat template reads no `{name}`")


def special_tokens(tokenizer: Any) -> dict[int, str]:
    """The special tokens of a tokenizer, of transformers or of mistral-common, by their ids."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    named = zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True)
    return {int(number): str(token) for number, token in named} | {
        int(number): str(token.content) for number, token in added.items() if token.special
    }


def decode(tokenizer: Any, special: dict[int, str], marks: list[str], best: Any) -> str:
    """The text without the special tokens, of which `marks` stay, up to the words that ended it."""
    if not any(special.get(number) in marks for number in best.token_ids):
        return str(best.text).strip()
    kept = [number for number in best.token_ids if number not in special or special[number] in marks]
    text, end = str(tokenizer.decode(kept, skip_special_tokens=False)), best.stop_reason
    return (text[: text.rfind(end)] if isinstance(end, str) and end in text else text).strip()


def reply(vllm: Any, output: Any, text: str) -> dict[str, Any]:
    """A finished request: its key, and the fields of `curation.calls.call.Reply`."""
    best = output.outputs[0]
    return {
        "key": output.request_id, "text": text, "finish_reason": best.finish_reason or "stop",
        "prompt_tokens": len(output.prompt_token_ids), "completion_tokens": len(best.token_ids), "engine": name(vllm),
    }  # fmt: skip


def name(vllm: Any) -> str:
    return f"vllm {vllm.__version__}"


if __name__ == "__main__":
    main()
