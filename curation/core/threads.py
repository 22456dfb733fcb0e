"""How the threads of OpenMP wait, which it reads once, when torch or another library first loads it."""

import os


def let_threads_sleep() -> None:
    """OpenMP's threads sleep while they wait, and do not spin on cores that others need. What the environment sets
    already stays."""
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
