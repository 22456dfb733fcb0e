"""`curation batch`: a stage's outstanding calls as a batch file, and its result file back into the ledger, at half the
price or with no server at all.

The form is OpenAI's Batch API's, which `vllm run-batch` reads and writes too. A line's custom_id is the call's key.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from curation.calls import wire
from curation.calls.call import Call, Reply
from curation.calls.endpoint import Endpoint
from curation.calls.foreign import read_json
from curation.calls.ledger import Ledger
from curation.calls.scores import SCORING
from curation.commands.outstanding import StageCalls, stage_calls
from curation.commands.terminal import Parser
from curation.core.errors import CurationError, write_whole
from curation.core.messages import did_you_mean
from curation.core.params import read
from curation.core.study import Study
from curation.core.text import say_count

URL = "/v1/chat/completions"


def main(arguments: list[str]) -> None:
    """Write a batch file, or read its results into the ledger."""
    text = "A stage's outstanding calls as an OpenAI batch file, and its results back into the ledger."
    parser = Parser(prog="curation batch", description=text)
    parser.add_argument("action", choices=["write", "read"])
    parser.add_argument("stage", choices=["generate", "judge"])
    parser.add_argument("name", help="a generator or a judge")
    parser.add_argument("file", type=Path, help="the JSONL file to write, or the results to read")
    given = parser.parse_args(arguments)
    stage = (read(), given.stage, given.name, given.file)
    if given.action == "write":
        print(f"{given.file}: {say_count(write_batch(*stage), 'call')} of {given.stage} {given.name}")
    else:
        print(f"{given.file}: " + ", ".join(f"{count} {what}" for what, count in read_batch(*stage).items()))


def write_batch(study: Study, stage: str, name: str, file: Path) -> int:
    """`file` holds a line per call of the stage that the ledger has no reply to, whole. Returns how many.

    Raises CurationError if there is none, the stage calls no model, or it judges traces that are not written yet.
    """
    calls = _calls_of(study, stage, name)
    if calls.at_most:
        raise CurationError(
            f"batch write: {stage} {name} rates traces that are not written yet; fill the generators' calls first"
        )
    if not calls.missing:
        raise CurationError(
            f"batch write: {stage} {name}: the ledger has all {len(calls.distinct)} calls; there is nothing to write"
        )
    endpoint = getattr(calls.settings, "endpoint", None)
    bodies = {call.key: _body(call, endpoint) for call in calls.missing}
    lines = [{"custom_id": key, "method": "POST", "url": URL, "body": body} for key, body in bodies.items()]
    write_whole(file, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode())
    return len(lines)


def read_batch(study: Study, stage: str, name: str, file: Path) -> dict[str, int]:
    """The replies of a result file are in the ledger: how many were `good`, `failed`, or `known` because it was read
    before.

    Raises CurationError, and keeps nothing, if a line is no result or answers no call of the stage.
    """
    calls = _calls_of(study, stage, name)
    endpoint = getattr(calls.settings, "endpoint", None)
    engine = f"{endpoint.engine if endpoint else calls.settings.kind} batch"
    secret = endpoint.api_key() if endpoint else ""
    answers = [_read_line(f"{file}: line {number}", line, calls, engine, secret) for number, line in _lines(file)]
    counts = {"good": 0, "failed": 0, "known": 0}
    with Ledger(study.ledger, study.budget) as ledger, ledger.transaction():
        for call, reply in answers:
            if ledger.has(call, reply):
                counts["known"] += 1
                continue
            ledger.append(call, reply, stage, name)
            counts["good" if reply.error is None else "failed"] += 1
    return counts


def _calls_of(study: Study, stage: str, name: str) -> StageCalls:
    named = study.names({"generate": "generators", "judge": "judges"}[stage])
    if name not in named:
        raise CurationError(f"batch: {stage} {name}: no such name in params.yaml{did_you_mean(name, named)}")
    by_name = {(calls.stage, calls.name): calls for calls in stage_calls(study)}
    if (stage, name) not in by_name:
        listed = ", ".join(" ".join(both) for both in by_name)
        raise CurationError(f"batch: {stage} {name} calls no model; these do: {listed}")
    calls = by_name[stage, name]
    if any(SCORING in call.sampling for call in calls.distinct.values()):
        raise CurationError(
            f"batch: {stage} {name} is a reward model, whose scores are no chat completions, so no batch file can hold "
            f"its calls; `dvc repro {stage}@{name}` asks them live"
        )
    return calls


def _body(call: Call, endpoint: Endpoint | None) -> dict[str, Any]:
    """The request as the HTTP engine words it first, from the schema that is in the call's key."""
    form = (
        {"type": "json_schema", "json_schema": {"name": call.schema["title"], "schema": call.schema, "strict": True}}
        if call.schema
        else None
    )
    body = wire.request_body(call, None, "json_schema") | ({"response_format": form} if form else {})
    return endpoint.word(body) if endpoint else body


def _lines(file: Path) -> list[tuple[int, str]]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise CurationError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CurationError(f"{file}: not UTF-8 text; nothing was kept") from None
    if not text.strip():
        raise CurationError(f"{file}: has no lines")
    return [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def _read_line(place: str, line: str, calls: StageCalls, engine: str, secret: str) -> tuple[Call, Reply]:
    try:
        result = read_json(line)
        key, response, error = result["custom_id"], result.get("response"), result.get("error")
    except (ValueError, LookupError, TypeError, AttributeError):
        raise CurationError(f"{place}: not a line of a batch result; nothing was kept") from None
    if not isinstance(response, dict) and error is None:
        raise CurationError(
            f"{place}: neither a response nor an error, so not a line of a batch result; nothing was kept"
        )
    call = calls.distinct.get(key) if isinstance(key, str) else None
    if call is None:
        custom_id = wire.redact_line(str(key), secret)[:16]
        raise CurationError(
            f"{place}: custom_id {custom_id}… is no call of {calls.stage} {calls.name} under this params.yaml; "
            "nothing was kept"
        )
    if not isinstance(response, dict):
        return call, wire.error_reply(f"batch: {wire.redact_line(json.dumps(error), secret)}", engine)
    status = response.get("status_code")
    if not isinstance(status, int) or not 100 <= status <= 599:
        raise CurationError(
            f"{place}: status_code {wire.redact_line(str(status), secret)[:16]} is no HTTP status; nothing was kept"
        )
    reply = wire.read_body(status, response.get("body"), engine, secret).reply
    return call, replace(reply, mode="json_schema" if call.schema else "", batched=1)
