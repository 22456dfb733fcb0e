"""Calls answered in vLLM, in a process of its own, so that vllm may be installed in an environment of its own."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import IO, Annotated, Any, ClassVar, Literal

from pydantic import Field

from curation.calls.call import Call, Engine, OnReply, Reply
from curation.calls.extra import TEMPLATE_FIELDS, find_untaken
from curation.calls.foreign import read_json, utf8
from curation.calls.tool_calls import for_server, for_template
from curation.core.errors import CurationError, write_whole
from curation.core.params import Strict
from curation.core.ranges import Concurrency, FilePath, Length, Share
from curation.models import weights
from curation.models.call_rendering import template_settings
from curation.models.reasoning import Rule, marks_among

SERVER = Path(__file__).with_name("_vllm_process.py")
HAS_VLLM = "import importlib.util, sys; sys.exit(importlib.util.find_spec('vllm') is None)"
LOG = Path(".curation/vllm.log")
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # that vllm's max_lora_rank may be
SAMPLING_PARAMS = (  # of vllm.SamplingParams, what changes no form of a reply
    "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty", "min_tokens", "stop", "stop_token_ids",
    "bad_words", "allowed_token_ids", "ignore_eos", "include_stop_str_in_output", "thinking_token_budget",
)  # fmt: skip


class Params(Strict):
    """An engine of kind vllm. `python` is the interpreter of the environment that has vllm, null for this one.

    The engine is given `concurrency` calls at once and batches them itself.
    """

    kind: Literal["vllm"]
    python: FilePath | None
    dtype: Literal["float32", "bfloat16", "auto"]
    max_model_len: Length
    tensor_parallel: Annotated[int, Field(ge=1, le=1024, description="GPUs")]
    gpu_memory: Share
    eager: bool
    concurrency: Concurrency

    runs_here: ClassVar[bool] = True

    def find_mistakes(self, max_tokens: int, extra: Mapping[str, Any]) -> Iterator[str]:
        """Replies that leave no room for a prompt, and fields that it does not take."""
        if max_tokens >= self.max_model_len:
            yield (
                f"max_tokens: {max_tokens} leaves no room for a prompt in max_model_len: {self.max_model_len}; lower it"
            )
        yield from find_untaken(extra, (*TEMPLATE_FIELDS, *SAMPLING_PARAMS), "vllm")

    def find_unmet(self) -> Iterator[str]:
        """An interpreter that has vllm, where there is none."""
        python = self.python or sys.executable
        try:
            code = subprocess.run([python, "-c", HAS_VLLM], capture_output=True, check=False, timeout=60).returncode
        except (OSError, subprocess.SubprocessError) as error:
            yield f"python: {python}: cannot be run ({type(error).__name__}); name an interpreter that has vllm"
            return
        if code:
            yield f"python: {python} has no vllm; name one that has it, or serve the model and use kind openai"

    def engine(self, model: weights.Weights, served_as: str | None = None, rule: Rule | None = None) -> Engine:
        """What answers calls to `model`; an adapter stays beside its weights, and is merged in where they are float32.
        The process starts with the first call. What marks reasoning by `rule` stays in a text."""
        return VllmEngine(self, model, rule)


class VllmEngine:
    """Starts one process, however often it is called. The process ends with this one, because its input does."""

    def __init__(self, settings: Params, model: weights.Weights, rule: Rule | None) -> None:
        self.settings, self.model, self.rule = settings, model, rule

    def __call__(self, calls: Iterator[Call], on_reply: OnReply) -> None:
        waiting: dict[str, Call] = {}
        for call in islice(calls, self.settings.concurrency):
            self._send(call, waiting)
        while waiting:
            sent = self._receive()
            key = str(sent.get("key"))
            if key not in waiting:
                raise self._misspoke(sent)
            on_reply(waiting.pop(key), _read_reply(sent))
            if (another := next(calls, None)) is not None:
                self._send(another, waiting)

    def _send(self, call: Call, waiting: dict[str, Call]) -> None:
        waiting[call.key] = call
        self._write(
            {
                "key": call.key,
                "messages": [*map(for_template, call.messages)],
                "as_text": [*map(for_server, call.messages)],
                "sampling": {name: value for name, value in call.sampling.items() if name not in TEMPLATE_FIELDS},
                "template": template_settings(call),
                "marks": self.marks,
            }
        )

    def _write(self, body: dict[str, Any]) -> None:
        with suppress(BrokenPipeError):  # it has ended: its last replies are still to be read, then its end
            print(json.dumps(body), file=self.process.stdin, flush=True)

    def _receive(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise self._end_error()
        try:
            sent = read_json(line)
        except ValueError:
            sent = None
        if not isinstance(sent, dict):
            raise self._misspoke(line)
        return sent

    def _misspoke(self, sent: object) -> CurationError:
        """The error that what the process wrote on its standard output is no reply."""
        self.process.kill()
        return CurationError(
            f"kind vllm: the engine wrote {utf8(str(sent))[:80]!r}, which answers no call; its python must keep "
            "standard output for replies"
        )

    @cached_property
    def log(self) -> IO[bytes]:
        """What vllm prints, kept in LOG where it fails."""
        return tempfile.TemporaryFile()

    @cached_property
    def marks(self) -> list[str]:
        """The special tokens that stay in a text."""
        assert self.process  # it says first which it has
        special = self.hello.get("special")
        tokens = [token for token in special if isinstance(token, str)] if isinstance(special, list) else []
        return sorted(marks_among(tokens, self.rule))

    @cached_property
    def process(self) -> subprocess.Popen[str]:
        """The running engine, ready for calls."""
        settings, (name, revision, adapter, template) = self.settings, self.model
        merged = adapter is not None and weights.merges(settings.dtype)
        source, pinned = (weights.merge_adapter(self.model), {}) if merged else weights.resolve(name, revision)
        arguments = {
            "model": str(source), "revision": pinned.get("revision"), "dtype": settings.dtype,
            "max_model_len": settings.max_model_len, "enforce_eager": settings.eager,
            "tensor_parallel_size": settings.tensor_parallel, "gpu_memory_utilization": settings.gpu_memory,
            **({} if template is None else {"template": template._asdict()}),
            **({} if adapter is None or merged else _beside(adapter)),
        }  # fmt: skip
        python = settings.python or sys.executable
        print(f"starting vllm with {name}", file=sys.stderr, flush=True)
        try:
            started = subprocess.Popen(
                [python, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
                start_new_session=True,  # or Ctrl-C would reach it before its replies are kept
            )  # fmt: skip
        except OSError as error:
            raise CurationError(
                f"kind vllm: python: {python}: cannot be run: {error.strerror}; name an interpreter that has vllm"
            ) from None
        self.__dict__["process"] = started
        self._write(arguments)
        self.hello = self._receive()
        return started

    def _end_error(self) -> CurationError:
        """The engine's end as an error, with the last error that vllm printed."""
        code = self.process.wait()
        self.log.seek(0)
        text = self.log.read()
        lines = [line.strip() for line in text.decode(errors="replace").splitlines()]
        why = next((line for line in reversed(lines) if re.match(r"[\w.]+(Error|Exception): ", line)), "")
        if why == "ModuleNotFoundError: No module named 'vllm'":
            return CurationError(
                f"kind vllm: {self.settings.python or sys.executable} has no vllm; name an interpreter that has one as "
                "`python`, or serve the model and use kind openai"
            )
        write_whole(LOG, text)
        return CurationError(f"kind vllm: the engine ended with {code}: {why[:300]}; all that it said is in {LOG}")


def _beside(adapter: Path) -> dict[str, Any]:
    """How vllm is told of an adapter; it knows some ranks, and takes an adapter of a lower one."""
    config = json.loads((adapter / "adapter_config.json").read_text())
    rank = max([config["r"], *(config.get("rank_pattern") or {}).values()])
    known = next((one for one in RANKS if one >= rank), rank)
    return {"enable_lora": True, "max_lora_rank": known, "adapter": str(adapter.resolve())}


def _read_reply(sent: dict[str, Any]) -> Reply:
    return Reply(
        text=sent.get("text"),
        finish_reason=sent.get("finish_reason", "unknown"),
        prompt_tokens=sent.get("prompt_tokens"),
        completion_tokens=sent.get("completion_tokens"),
        error=sent.get("error"),
        engine=sent.get("engine") or "vllm",
    )
