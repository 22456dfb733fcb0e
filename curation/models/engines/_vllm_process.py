"""The far side of `engines/vllm.py`: reads calls on stdin, writes replies on stdout as they come, a line of JSON each.

Runs in whatever environment has vllm, so it imports nothing of ours. The first line says how to start the engine.
"""

import json
import os
import sys
import threading
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

HERE = str(Path(__file__).resolve().parent)
sys.path = [folder for folder in sys.path if folder != HERE]  # its vllm.py is not the one meant below


def main() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # vllm prints; only replies may reach stdout
    how = json.loads(sys.stdin.readline())
    import vllm
    import vllm.platforms

    if vllm.platforms.current_platform.is_cpu():
        how["enable_chunked_prefill"] = False  # vllm 0.32 dies there of a seeded call whose prompt it takes in parts
    engine = vllm.LLM(**how).llm_engine
    tokenizer = engine.get_tokenizer()
    print(json.dumps({"ready": True}), file=out, flush=True)
    asked: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
    threading.Thread(target=listen, args=(asked,), daemon=True).start()
    while True:
        more = take(asked, wait=not engine.has_unfinished_requests())
        for call in more:
            if call is None:
                return
            add(vllm, engine, tokenizer, call, out)
        for output in engine.step() if engine.has_unfinished_requests() else ():  # none where all were refused
            if output.finished:
                print(json.dumps(reply(vllm, output)), file=out)
        out.flush()


def listen(asked: "SimpleQueue[dict[str, Any] | None]") -> None:
    """Put every call into `asked`, and None at the end of input."""
    for line in sys.stdin:
        asked.put(json.loads(line))
    asked.put(None)


def take(asked: "SimpleQueue[dict[str, Any] | None]", wait: bool) -> list[dict[str, Any] | None]:
    """What has come; with `wait` at least one."""
    found = [asked.get()] if wait else []
    try:
        while True:
            found.append(asked.get_nowait())
    except Empty:
        return found


def add(vllm: Any, engine: Any, tokenizer: Any, call: dict[str, Any], out: Any) -> None:
    """Give the engine one call; a call that it refuses, as one that is too long, is answered with the error."""
    sampling = {**call["sampling"], "top_k": call["sampling"]["top_k"] or -1}
    prompt = tokenizer.apply_chat_template(call["messages"], add_generation_prompt=True, return_dict=False)
    try:
        engine.add_request(call["key"], {"prompt_token_ids": prompt}, vllm.SamplingParams(**sampling))
    except Exception as error:  # vllm's own classes are no ValueError, and one call is no reason to lose the others
        refused = {
            "text": None,
            "finish_reason": "error",
            "error": " ".join(str(error).split())[:300],
            "engine": name(vllm),
        }
        print(json.dumps({"key": call["key"], **refused}), file=out, flush=True)


def reply(vllm: Any, output: Any) -> dict[str, Any]:
    """A finished request in the fields of `curation.calls.call.Reply`, and its key."""
    best = output.outputs[0]
    return {"key": output.request_id, "text": best.text.strip(), "finish_reason": best.finish_reason or "stop",
            "prompt_tokens": len(output.prompt_token_ids), "completion_tokens": len(best.token_ids), "engine": name(vllm)}  # fmt: skip


def name(vllm: Any) -> str:
    return f"vllm {vllm.__version__}"


if __name__ == "__main__":
    main()
