"""What files hold, as SHA-256."""

import hashlib
from pathlib import Path


def hash_file(file: Path) -> str:
    """The SHA-256 of what `file` holds, hexadecimal; no more than a piece of it is in memory."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
