"""How the threads of OpenMP wait, which it reads once, when torch or another library first loads it."""

import os


def limit_threads(threads: int) -> None:
    """OpenMP and MKL take so many threads of the CPU. Called before torch is imported."""
    os.environ |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}


def let_threads_sleep() -> None:
    """OpenMP's threads sleep while they wait, and do not spin on cores that others need. What the environment sets
    already stays."""
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
