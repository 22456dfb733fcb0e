"""Tokens per second of the vllm engine, process and pipes included, against bare `LLM.generate` in the same
environment. Starting is not counted.

python -m bench.vllm PYTHON [CALLS], where PYTHON is an interpreter that has vllm
"""

import json
import statistics
import subprocess
import sys
import time

from curation.calls.call import Call, Reply
from curation.core.params import read
from curation.models import weights
from curation.models.engines import vllm

LIMIT, ROUNDS = 64, 3
SAMPLING = {"temperature": 0.7, "top_p": 1.0, "top_k": 50, "max_tokens": LIMIT}
BARE = """
import json, sys, time
def main():
    arguments, rounds = json.loads(sys.stdin.readline())
    import vllm
    engine = vllm.LLM(**arguments)
    for calls in rounds:
        started = time.perf_counter()
        sampling = [vllm.SamplingParams(**settings) for _, settings in calls]
        outputs = engine.chat([messages for messages, _ in calls], sampling, use_tqdm=False)
        tokens = sum(len(output.outputs[0].token_ids) for output in outputs)
        print("RATE", tokens / (time.perf_counter() - started), flush=True)
if __name__ == "__main__":
    main()
"""


def rounds(count: int) -> list[list[Call]]:
    """One call to warm up, then so many at a time."""
    numbers = [range(1), *(range(1000 * n, 1000 * n + count) for n in range(1, ROUNDS + 1))]
    return [
        [
            Call("m", "r", [{"role": "user", "content": f"What is {n} + 3?"}], SAMPLING | {"seed": n}, 0)
            for n in of_round
        ]
        for of_round in numbers
    ]


def ours(python: str, model: weights.Weights, count: int) -> list[float]:
    settings = vllm.Params(
        kind="vllm",
        python=python,
        dtype="bfloat16",
        max_model_len=1024,
        tensor_parallel=1,
        gpu_memory=0.3,
        eager=True,
        concurrency=count,
    )
    engine, rates, tokens = vllm.VllmEngine(settings, model), [], 0

    def count_tokens(call: Call, reply: Reply) -> None:
        nonlocal tokens
        tokens += reply.completion_tokens or 0

    for calls in rounds(count):
        tokens, started = 0, time.perf_counter()
        engine(iter(calls), count_tokens)
        rates.append(tokens / (time.perf_counter() - started))
    assert engine.process.stdin
    engine.process.stdin.close()
    engine.process.wait()
    return rates[1:]


def bare(python: str, source: str, count: int) -> list[float]:
    arguments = {
        "model": source,
        "dtype": "bfloat16",
        "max_model_len": 1024,
        "enforce_eager": True,
        "gpu_memory_utilization": 0.3,
        "enable_chunked_prefill": False,
    }
    calls = [[(call.messages, call.sampling) for call in of_round] for of_round in rounds(count)]
    body = json.dumps([arguments, calls]) + "\n"
    done = subprocess.run([python, "-c", BARE], input=body, capture_output=True, text=True, check=True)
    return [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("RATE")][1:]


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("name an interpreter that has vllm: python -m bench.vllm PYTHON [CALLS]")
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 256
    student = read().student
    source, _ = weights.resolve(student.model, student.pinned)
    mine = statistics.median(ours(sys.argv[1], weights.Weights(student.model, student.pinned), count))
    plain = statistics.median(bare(sys.argv[1], str(source), count))
    print(f"{count} calls at once, at most {LIMIT} tokens each; median of {ROUNDS}")
    print(f"engine of kind vllm {mine:6.0f} tokens/s")
    print(f"bare LLM.chat       {plain:6.0f} tokens/s   engine / this: {mine / plain:.2f}")


if __name__ == "__main__":
    main()
