"""By which delimiters texts mark reasoning, guessed from the texts."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from curation.core.delimiters import CHANNEL, CLOSING, OPENING

FEW = 0.02  # of the texts have a delimiter by chance
_OPENS = re.compile(rf"\s*({OPENING})", re.IGNORECASE)
_CLOSES = re.compile(f"({CLOSING})", re.IGNORECASE)
MARKS = {("<think>", "</think>"): "think", ("[THINK]", "[/THINK]"): "mistral"}


def guess_rule(texts: Sequence[str]) -> tuple[dict[str, Any] | None, str]:
    """The rule that reads the reasoning of the texts, null where they mark none; and why."""
    opened = Counter(found[1] for text in texts if (found := _OPENS.match(text)))
    closed = Counter(found[1] for text in texts if (found := _CLOSES.search(text)) and not _OPENS.match(text))
    if opened and opened.total() >= max(FEW * len(texts), 1):
        mark, count = opened.most_common(1)[0]
        if mark.lower().startswith(CHANNEL):
            return {"kind": "harmony"}, _say(count, texts, f"begin with {mark}")
        closes = Counter(
            found[1] for text in texts if text.lstrip().startswith(mark) and (found := _CLOSES.search(text))
        )
        close = closes.most_common(1)[0][0] if closes else mark.replace("<", "</", 1).replace("[", "[/", 1)
        return _rule(mark, close), _say(count, texts, f"begin with {mark}")
    if closed and closed.total() >= max(FEW * len(texts), 1):
        mark, count = closed.most_common(1)[0]
        if mark.lower().startswith(CHANNEL):
            return {"kind": "harmony", "opens_in_prompt": True}, _say(count, texts, f"have {mark}")
        opens = mark.replace("/", "", 1).replace("end", "start", 1)
        why = f"{_say(count, texts, f'have {mark}')} and no opening, which the chat template wrote, then"
        return _rule(opens, mark) | {"opens_in_prompt": True}, why
    return None, ""


def _rule(opens: str, closes: str) -> dict[str, Any]:
    kind = MARKS.get((opens, closes))
    return {"kind": kind} if kind else {"kind": "delimiters", "opens": opens, "closes": closes}


def _say(count: int, texts: Sequence[str], what: str) -> str:
    return f"guessed: {100 * count / len(texts):.0f} % of {len(texts)} completions {what}"
