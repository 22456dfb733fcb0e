"""The job in distilabel, run by an interpreter that has it. python distilabel_job.py URL ROWS RUBRIC CACHE"""

import sys

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration


def main(url: str, rows: str, rubric: str, cache: str) -> None:
    def model(name: str) -> OpenAILLM:
        return OpenAILLM(
            model=name, base_url=url, api_key="none", generation_kwargs={"temperature": 0.0, "max_new_tokens": 64}
        )

    with Pipeline(name="bench", cache_dir=cache) as pipeline:
        load = LoadDataFromDicts(data=[{"instruction": f"Problem {n}"} for n in range(int(rows))], batch_size=64)
        write = TextGeneration(name="write", llm=model("writer"), input_batch_size=64)
        judge = TextGeneration(
            name="judge", llm=model("judge"), system_prompt=rubric, template="{{ instruction }}\n{{ generation }}",
            columns=["instruction", "generation"], output_mappings={"generation": "judgment"}, input_batch_size=64,
        )  # fmt: skip
        load >> write >> judge
    if len(pipeline.run(use_cache=True)["default"]["train"]) != int(rows):
        sys.exit(3)


if __name__ == "__main__":
    main(*sys.argv[1:])
