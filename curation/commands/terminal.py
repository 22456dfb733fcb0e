"""How every command reads its arguments."""

import argparse
import itertools
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from curation.core.errors import CurationError
from curation.core.messages import did_you_mean
from curation.core.text import one_line


def refuse_untaken(command: str, given: argparse.Namespace, takes: Mapping[str, Sequence[str]], place: str) -> None:
    """Nothing. Raises CurationError if an argument was given that `given.action` does not take; `takes` says what each
    action does, and `place` is the one that has no dashes."""
    for option in dict.fromkeys(option for options in takes.values() for option in options):
        if getattr(given, option) not in (None, False) and option not in takes[given.action]:
            said = place if option == place else f"--{option.replace('_', '-')}"
            takers = " or ".join(action for action, options in takes.items() if option in options)
            raise CurationError(f"{command} {given.action}: takes no {said}, which goes with {takers}")


def count(text: str) -> int:
    """A whole number above 0, of an argument."""
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of texts where they fit; else fills them again, but for lines that begin with a blank, such as
    examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:  # where argparse asks about such texts
        lines = text.splitlines()
        if max(map(len, lines), default=0) <= width:
            return super()._fill_text(text, width, indent)
        parts = itertools.groupby(lines, lambda line: bool(line) and not line[0].isspace())
        return "\n".join(textwrap.fill(" ".join(part), width) if fills else "\n".join(part) for fills, part in parts)


class Parser(argparse.ArgumentParser):
    """Takes options by their whole names alone, since `orphans --del` deleted; keeps the lines of its texts, or fills
    them to the terminal's width; says of an unknown option, and of a value that is no choice, what is known."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False, formatter_class=_Formatter)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does; what is left over ends the program with the nearest option, or as one word too many."""
        given, left = self.parse_known_args(args, namespace)
        if left and left[0].startswith("-"):
            known = [name for name in self._option_string_actions if name.startswith("--")]
            self.error(f"{left[0]}: no such option{did_you_mean(left[0].partition('=')[0], known)}")
        if left:
            self.error(f"{left[0]!r}: one argument too many")
        return given

    def _check_value(self, action: argparse.Action, value: Any) -> None:  # where argparse asks about choices
        if action.choices is not None and value not in action.choices:
            known = list(action.choices)
            nearest = did_you_mean(value, known, ())
            raise argparse.ArgumentError(action, f"{value!r} is not one of {', '.join(known)}{nearest}")

    def error(self, message: str) -> NoReturn:
        """Say how the command is used and what is wrong, in one line, and exit 2."""
        super().error(one_line(message))
