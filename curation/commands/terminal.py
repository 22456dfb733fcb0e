"""How every command reads its arguments."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from curation.core.errors import CurationError
from curation.core.text import one_line


def refuse_untaken(command: str, given: argparse.Namespace, takes: Mapping[str, Sequence[str]], place: str) -> None:
    """Nothing. Raises CurationError if an argument was given that `given.action` does not take; `takes` says what each
    action does, and `place` is the one that has no dashes."""
    for option in dict.fromkeys(option for options in takes.values() for option in options):
        if getattr(given, option) not in (None, False) and option not in takes[given.action]:
            said = place if option == place else f"--{option.replace('_', '-')}"
            takers = " or ".join(action for action, options in takes.items() if option in options)
            raise CurationError(f"{command} {given.action}: takes no {said}, which goes with {takers}")


class Parser(argparse.ArgumentParser):
    """Takes options by their whole names alone, since `orphans --del` deleted; keeps the lines of its texts."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """Say how the command is used and what is wrong, in one line, and exit 2."""
        super().error(one_line(message))
