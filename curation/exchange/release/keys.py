"""What looks like a key: what begins as those of a known service, and what stands beside a name that says so."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping

BY_NAME = r"(?i:(?:api|access|private|secret|auth|master|signing|encryption|service|subscription)[_-]?key|token|secret|"
BY_NAME += r"password|passwd|passphrase|credentials?|authorization)"
ASSIGNED, LOGIN, URL_TOKEN = "a key that is assigned", "a login of HTTP", "a token in a URL"
KEYS = {  # in the regular expressions that Python and Polars both know
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|AGE-SECRET-KEY-1[A-Z0-9]{50,}",
    "an API key": r"sk-[A-Za-z0-9_-]{20,}|(?:gsk_|nvapi-|pplx-|r8_|xai-|fw_|tgp_v1_)[A-Za-z0-9_-]{24,}",
    "a token of the hub": r"(?:hf|api_org)_[A-Za-z0-9]{30,}",
    "a token of GitHub": r"(?:gh[opsur]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})",
    "a token of GitLab": r"(?:gl(?:pat|rt|ptt|dt|cbt|ft|soat|agent|imt)-|GR1348941)[A-Za-z0-9_-]{20,}",
    "a key of AWS": r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    "a key of Google": r"AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9_-]{30,}",
    "a key of Azure": r"(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/=]{40,}",
    "a token of Slack": r"(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/[A-Za-z0-9/]{20,}",
    "a webhook of Discord": r"discord(?:app)?\.com/api/(?:v[0-9]+/)?webhooks/[0-9]+/[A-Za-z0-9_-]{20,}",
    "a token of Telegram": r"[0-9]{8,10}:[A-Za-z0-9_-]{35}",
    "a token of DigitalOcean": r"do[opr]_v1_[a-f0-9]{32,}",
    "a token of Shopify": r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
    "a token of a package registry": r"npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{40,}|dckr_pat_[A-Za-z0-9_-]{20,}",
    "a key of SendGrid": r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    "a live key of Stripe": r"[rs]k_live_[A-Za-z0-9]{16,}",
    "a JSON web token": r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    ASSIGNED: rf"{BY_NAME}\\?[\"']?\s*(?:=|:|%3[Dd])\s*\\?[\"']?(?:(?i:bearer|token|apikey)\s+)?"
    r"[A-Za-z0-9+/_.~=-]{12,}",
    "a bearer token": r"\b(?i:bearer)\s+[A-Za-z0-9._~+/-]{20,}",
    LOGIN: r"\b(?i:basic)\s+[A-Za-z0-9+/_-]{8,}={0,2}",
    "a password in a URL": r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@\"']*:[^\s/@\"']+@",
    URL_TOKEN: r"\b[A-Za-z][A-Za-z0-9+.-]*://[A-Za-z0-9_~.-]{12,}@",
}  # fmt: skip
SURE = 32  # characters of one word that stands beside such a name
NAMES_A_KEY = re.compile(r"(?i:.*(?:api_?key|access_?key|token|secret|passw(?:or)?d|credentials?))")


def find_keys(what: str, rule: str, text: str) -> list[str]:
    """What of a text looks like `what`, a name of KEYS or of any other rule."""
    holds = CHECKS.get(what, _stands_alone)
    return [found[0] for found in re.finditer(rule, text) if what not in KEYS or holds(found)]


def name_keys(environment: Mapping[str, str]) -> set[str]:
    """The variables whose names say that they hold a key, as HF_TOKEN."""
    return {name for name in environment if NAMES_A_KEY.fullmatch(name)}


def _stands_alone(found: re.Match[str]) -> bool:
    """Whether it is no part of a word, or mixes letters and digits as no word does: `task-based` is no `sk-based`."""
    before = found.string[found.start() - 1 : found.start()]
    return not (before.isalnum() or before == "_") or _mixes(found[0])


def _is_assigned(found: re.Match[str]) -> bool:
    value = re.split(r"[\s\"':=]|%3[Dd]", found[0].rstrip("="))[-1]
    return _mixes(value) or any(len(word) >= SURE for word in re.split(r"[-_.]", value))


def _mixes(text: str) -> bool:
    """Whether eight or more characters in a row hold letters and digits by turns, as `layer1` and `word2vec` do not."""
    for word in re.split(r"[^A-Za-z0-9]", text):
        turns = len(re.findall(r"[A-Za-z](?=[0-9])|[0-9](?=[A-Za-z])", word))
        if len(word) >= 8 and turns >= (3 if word.islower() else 2):
            return True
    return False


def _is_login(found: re.Match[str]) -> bool:
    """Whether it is the base64 of user:password (RFC 7617)."""
    word = found[0].split()[-1]
    try:
        said = base64.b64decode(word.rstrip("=") + "=" * (-len(word.rstrip("=")) % 4), altchars=b"-_").decode()
    except (binascii.Error, UnicodeDecodeError):
        return False
    return ":" in said and said.isprintable()


CHECKS: dict[str, Callable[[re.Match[str]], bool]] = {
    ASSIGNED: _is_assigned,
    LOGIN: _is_login,
    URL_TOKEN: lambda found: _mixes(found[0].split("://")[1]),
}
