"""What columns are called: the words that names are known by, for each part that a column may play."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

WORDS: dict[str, tuple[str, ...]] = {  # the surest first
    "prompt": (
        "prompt", "question", "problem", "instruction", "query", "input", "user_prompt", "user_input", "user_query",
        "task_prompt", "context", "arg_0", "history", "frage", "aufgabe", "pregunta", "domanda", "pergunta", "вопрос",
        "задача", "问题", "問題", "提示", "指令", "質問", "질문", "سؤال", "post", "title",
    ),
    "completion": (
        "completion", "completions", "response", "responses", "generation", "generations", "output", "outputs",
        "choices", "resps", "generated_text", "prediction", "predictions", "trace", "reply", "model_output",
        "candidate", "candidates", "samples", "text", "content", "message", "antwort", "antworten", "réponse",
        "respuesta", "risposta", "resposta", "ответ", "回答", "回复", "回應", "응답", "إجابة",
    ),
    "answer": (
        "reference_answer", "gold", "gold_answer", "golden_answer", "ground_truth", "final_answer", "correct_answer",
        "expected_answer", "expected_output", "expected", "reference", "target", "answer_key", "answerkey", "answer",
        "answers", "solution", "label", "lösung", "musterlösung", "solución", "soluzione", "答案", "正解", "정답",
    ),
    "reasoning": (
        "reasoning_content", "reasoning", "thinking", "thought", "thoughts", "chain_of_thought", "cot", "rationale",
        "thinking_trajectory", "reasoning_trace", "thinking_content", "reasoning_text",
    ),
    "model": (
        "generator", "model", "model_name", "model_id", "model_name_or_path", "model_path", "model_used", "llm",
        "engine", "source_model", "policy", "modell", "modelo", "модель", "模型", "モデル", "모델",
    ),
    "system": ("system", "system_prompt", "system_message", "system_instruction"),
    "tools": ("tools", "functions"),
    "sample_index": (
        "sample_index", "sample_idx", "sample_num", "sample", "epoch", "completion_index", "response_index", "repeat",
        "trial", "attempt", "run",
    ),
    "finish_reason": ("finish_reason", "stop_reason", "finish", "done_reason"),
    "prompt_id": (
        "prompt_id", "question_id", "problem_id", "custom_id", "doc_id", "task_id", "example_id", "qid",
        "instance_id",
        "item_id", "query_id", "instruction_id", "session_id", "uid", "uuid", "id", "idx", "index", "key", "nr",
        "编号", "序号", "номер",
    ),
    "trace_id": (
        "trace_id", "response_id", "completion_id", "sample_id", "generation_id", "output_id", "answer_id", "row_id",
        "uid", "uuid", "id", "编号", "序号",
    ),
    "task": ("task", "category", "subject", "dataset", "domain", "topic", "source", "type", "kategorie"),
    "score": (
        "score", "scores", "rating", "ratings", "overall_score", "overall", "quality", "helpfulness", "correctness",
        "coherence", "complexity", "verbosity", "honesty", "truthfulness", "instruction_following", "harmlessness",
        "safety", "reward", "grade", "stars", "bewertung", "note", "punkte", "puntuación", "оценка", "评分", "分数",
    ),
    "dimension": ("dimension", "aspect", "criterion", "criteria", "metric", "attribute", "rubric", "kriterium", "name"),
    "rater": ("rater", "annotator", "worker", "worker_id", "annotator_id", "labeler", "judge", "user"),
    "rationale": ("rationale", "reason", "why", "comment", "explanation", "feedback", "begründung"),
}  # fmt: skip
LOOSE = ("prompt", "completion", "answer", "score")  # known by a word anywhere in a name
BY_OBJECT = 300  # how surely a field is known whose object alone has the word
_WORD = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def split_name(name: str) -> list[str]:
    """The words of the last part of a dotted name, in lower case."""
    last = unicodedata.normalize("NFC", name).rpartition(".")[2] or name
    return [word.lower() for word in _WORD.findall(_HUMP.sub("_", last))]


def rate_name(name: str, role: str) -> int | None:
    """How surely a column of this name plays the part, less being surer; None where its name does not say so."""
    words, known = split_name(name), WORDS[role]
    whole = "_".join(words)
    if whole in known:
        return known.index(whole)
    for start in range(len(words)):  # `model_response` ends in a word that is known
        if (end := "_".join(words[start:])) in known:
            return 100 + known.index(end)
    found = [known.index(word) for word in words if word in known and role in LOOSE]
    if not found and role == "prompt":  # `question.full_text`
        above = [*map(split_name, name.split("."))][:-1]
        return next((BY_OBJECT for words_above in above if "_".join(words_above) in known), None)
    return 200 + min(found) if found else None


def names_model(name: str) -> bool:
    """Whether a name has the word for a model anywhere, as `model_a` has."""
    return any(word.removesuffix("s") in WORDS["model"] for word in split_name(name))


def slug(text: str, fallback: str) -> str:
    """`text` as a name in params.yaml: lower-case letters, digits, '-' and '_'."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    name = name if name[:1].isalpha() else f"{fallback}-{name}" if name else fallback
    return name[:60].rstrip("-")


def column_name(text: str, fallback: str) -> str:
    """As `slug`, without '-', so that an expression can name it as it is: of dimensions, judges, selections."""
    return slug(text, fallback).replace("-", "_")


def is_called(name: str, role: str) -> bool:
    """Whether a name as a whole is a word for the part."""
    rate = rate_name(name, role)
    return rate is not None and rate < 100


def swap_word(name: str, one: str, other: str, names: Mapping[str, Any]) -> str | None:
    """The name that has `other` where `name` has the word `one`, if there is one of it."""
    before = r"(?<!\d)" if one.isdigit() else r"(?<![^\W_\d])"  # `response1`
    for found in re.finditer(rf"{before}{re.escape(one)}(?![^\W_])", name, re.IGNORECASE):
        for word in (other, other.upper(), other.capitalize()):
            swapped = name[: found.start()] + word + name[found.end() :]
            if swapped != name and swapped in names:
                return swapped
    return None
