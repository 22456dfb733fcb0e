"""params.yaml and dvc.lock as they may leave a machine: local paths cut to their last names, private hosts unnamed."""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from curation.core.canonical import list_texts

# of a text that begins with a slash and has no other, as `/no_think`, nobody knows that it is a path
BUCKET = r"(?:file|s3[an]?|gs|gcs|abfss?|adl|az|wasbs?|oci|oss|hdfs|r2|b2|minio|s?ftp|ssh|nfs|smb)://"
NETWORK = r"10\.[0-9]{1,3}|172\.(?:1[6-9]|2[0-9]|3[01])|192\.168"
OWN_ENDS = r"corp|home\.arpa|internal|intranet|lan|localdomain"  # and no file's
LOCAL = re.compile(
    rf"(?:{BUCKET}|~[\w.-]*/|[A-Za-z]:[\\/]|/[^/\s]+/|(?:\$\{{?[A-Z_]{{3,}}\}}?|%[A-Z_]{{3,}}%)[\\/]|\\\\[\w.-]+\\)"
    r"[^\n\0]*[^\s/\\][/\\]*"
)
PLACES = {  # in the midst of settings, and in their comments
    "a private bucket or share": rf"\b{BUCKET}[^\s\"'`,)>\]]+",
    "the address of a private host": rf"(?<![\w./@-])(?:[\w.-]+@(?:[\w-]+(?=:[/~\w])|[\w-]+\.(?:home|local)\b))|"
    rf"(?<![\w./@-])(?:[\w.-]+@)?(?:(?:{NETWORK})(?:\.[0-9]{{1,3}}){{2}}|(?:[\w-]+\.)+(?:{OWN_ENDS}))(?![\w.-]*\w)(?::[0-9]+)?",
}
URL = re.compile(r"(https?://)((?:[^\s/@]+@)?)(\[[0-9a-fA-F:.]+\]|[^\s/:]+)((?::[0-9]+)?(?:/\S*)?)")
PRIVATE = re.compile(r"[^.]+|.+\.(?:corp|home|home\.arpa|internal|intranet|lan|local|localdomain)", re.IGNORECASE)
HERE = ("localhost", "127.0.0.1", "[::1]", "0.0.0.0")  # noqa: S104 - which tell of no machine
HOST = "private-host"


def find_local(raw: Mapping[str, Any]) -> dict[str, str]:
    """Of each setting that is a local path, or the URL of a private host, what stands for it in a release."""
    found = {}
    for text in dict.fromkeys(list_texts(dict(raw))):
        public = make_public(text)
        if public != text:
            found[text] = public
    return found


def make_public(text: str) -> str:
    """A setting as a release has it: of a local path its last name, of a URL of a private host that without its name,
    and any other as it is."""
    if url := URL.fullmatch(text):
        return f"{url[1]}{url[2]}{HOST}{url[4]}" if _is_private(url[3]) else text
    return re.split(r"[/\\]", text.rstrip("/\\"))[-1] if LOCAL.fullmatch(text) else text


def find_private(line: str) -> Iterator[str]:
    """The URLs of private hosts that a line names, as they stand there."""
    for url in URL.finditer(line):
        host = url[3].strip("\"'`,;)>")
        if host != HOST and _is_private(host):
            yield url[0]


def _is_private(host: str) -> bool:
    if host.lower() in HERE:
        return False
    try:
        return ipaddress.ip_address(host.strip("[]")).is_private
    except ValueError:
        return PRIVATE.fullmatch(host) is not None


def replace_local(body: str, local: Mapping[str, str]) -> str:
    """`body` with what stands for each of these texts; the longest first, for one may begin another."""
    for text in _longest_first(local):
        public = local[text].replace("\\", r"\\")
        body = re.sub(rf"(?<![\w/.~-]){re.escape(text)}(?![\w/-])", public, body)
    return body


def _longest_first(texts: Iterable[str]) -> list[str]:
    return sorted(texts, key=lambda text: (-len(text), text))
