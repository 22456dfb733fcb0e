"""`curation shelf`: published selections, listed or as lines of params.yaml."""

from curation.commands.rows import print_rows
from curation.commands.terminal import Parser
from curation.core.errors import CurationError
from curation.selection import shelf


def main(arguments: list[str]) -> None:
    """Print the list or an entry. Raises CurationError if there is no such entry or placeholder."""
    parser = Parser(prog="curation shelf", description="Published selections: list them, or print one for params.yaml.")
    what = parser.add_mutually_exclusive_group()
    placeholders = "the one to print; then its placeholders, as in `--judge rubric --dimension factuality`"
    what.add_argument("name", nargs="?", help=placeholders)
    what.add_argument("--all", action="store_true", help="print all")
    what.add_argument("--md", action="store_true", help="list them as a Markdown table")
    given, more = parser.parse_known_args(arguments)
    values = _values(more)
    if given.name is None and values:
        raise CurationError(
            f"shelf: --{next(iter(values))} is of one entry; name it first, as in `shelf sample_delta --judge rubric`"
        )
    if given.name is not None:
        print(shelf.to_yaml(given.name, values))
    elif given.all:
        print("\n".join(shelf.to_yaml(name, {}) for name in shelf.entries()))
    else:
        import polars as pl  # one entry is printed without it, in half the time

        print_rows(pl.DataFrame(shelf.table()), "md" if given.md else None)


def _values(words: list[str]) -> dict[str, str]:
    """The placeholders' values by name, of `--judge rubric` or `--judge=rubric`."""
    words = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    names, values = words[::2], words[1::2]
    if len(names) != len(values) or not all(name.startswith("--") for name in names):
        raise CurationError(f"shelf: {' '.join(words)}: write placeholders as `--name value`")
    return {name.removeprefix("--"): value for name, value in zip(names, values, strict=True)}
