"""The job in bespokelabs-curator, run by an interpreter that has it. python curator_job.py URL ROWS RUBRIC CACHE"""

import os
import sys

os.environ |= {
    "CURATOR_CACHE_DIR": sys.argv[4],
    "CURATOR_DISABLE_RICH_DISPLAY": "1",
    "TELEMETRY_ENABLED": "false",
    "OPENAI_API_KEY": "none",
}
from bespokelabs import curator
from datasets import Dataset

RUBRIC = sys.argv[3]


class Writer(curator.LLM):
    def prompt(self, row):
        return row["problem"]

    def parse(self, row, response):
        return {"problem": row["problem"], "answer": response}


class Judge(curator.LLM):
    def prompt(self, row):
        return [
            {"role": "system", "content": row["rubric"]},
            {"role": "user", "content": f"{row['problem']}\n{row['answer']}"},
        ]

    def parse(self, row, response):
        return {"problem": row["problem"], "judgment": response}


def main(url: str, rows: str, rubric: str, cache: str) -> None:
    how = {
        "base_url": url, "max_concurrent_requests": 64, "max_requests_per_minute": 100_000,
        "max_tokens_per_minute": 1_000_000_000, "request_timeout": 60, "max_retries": 3,
    }  # fmt: skip
    sampling = {"temperature": 0.0, "max_tokens": 64}
    problems = Dataset.from_list([{"problem": f"Problem {n}"} for n in range(int(rows))])
    answers = Writer(
        model_name="openai/gpt-4o-mini", backend="litellm", backend_params=how, generation_params=sampling
    )(problems).dataset
    answers = answers.map(lambda row: {"rubric": rubric})
    judged = Judge(model_name="openai/gpt-4o-mini", backend="litellm", backend_params=how, generation_params=sampling)(
        answers
    ).dataset
    if len(judged) != int(rows):
        sys.exit(3)


if __name__ == "__main__":
    main(*sys.argv[1:])
