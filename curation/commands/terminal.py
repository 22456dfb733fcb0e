"""How every command reads its arguments."""

import argparse
from typing import Any, NoReturn

from curation.core.text import one_line


class Parser(argparse.ArgumentParser):
    """Takes options by their whole names alone, since `orphans --del` deleted; keeps the lines of its texts."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """Say how the command is used and what is wrong, in one line, and exit 2."""
        super().error(one_line(message))
