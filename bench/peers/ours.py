"""The job in this toolkit. python -m bench.peers.ours URL ROWS RUBRIC CACHE"""

import sys

from curation.calls.call import Call
from curation.calls.chat import HttpEngine
from curation.calls.endpoint import Endpoint
from curation.calls.ledger import Ledger, Params


def main(url: str, rows: str, rubric: str, cache: str) -> None:
    endpoint = Endpoint(
        base_url=url,
        engine="bench",
        api_key_env=None,
        concurrency=64,
        timeout_s=60.0,
        max_retries=3,
        validation_retries=0,
    )
    sampling = {"temperature": 0.0, "max_tokens": 64}
    problems = [f"Problem {n}" for n in range(int(rows))]
    with Ledger(Params(path=f"{cache}/ledger.sqlite", recorded=cache, offline=False, max_failed=0.0)) as ledger:
        written = [Call("writer", "r", [{"role": "user", "content": problem}], sampling, 0) for problem in problems]
        replies = ledger.fulfil(written, HttpEngine(endpoint), "generate", "writer")
        answers = [f"{problem}\n{reply.text}" for problem, reply in zip(problems, replies, strict=True)]
        system = {"role": "system", "content": rubric}
        judged = [Call("judge", "r", [system, {"role": "user", "content": answer}], sampling, 0) for answer in answers]
        assert len(list(ledger.fulfil(judged, HttpEngine(endpoint), "judge", "rubric"))) == len(problems)


if __name__ == "__main__":
    main(*sys.argv[1:])
