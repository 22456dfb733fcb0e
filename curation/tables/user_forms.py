"""What form a user's file has and how it is packed: by its name, which its first bytes must bear out."""

from pathlib import Path

from curation.tables.json_values import Fault

TEXT_FORMS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
PACKED = {".gz": "gzip", ".zst": "zstd"}
CONTENT = {  # by the first bytes
    b"PAR1": "parquet",
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "a zip archive",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"ARROW1": "an Arrow file",
    b"FEA1": "a Feather file",
    b"SQLite format 3": "an SQLite database",
    b"version https://git-lfs": "a Git LFS pointer, which `git lfs pull` replaces",
}
READ_AS = {None: ".jsonl, .json, .csv or .tsv", "parquet": ".parquet", "gzip": ".gz", "zstd": ".zst"}


def form_of(file: Path) -> tuple[str, str | None]:
    """The form and the packing that a file's name says. Raises Fault if it says none that is read."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    packing = PACKED.get(suffixes[-1]) if suffixes else None
    form = suffixes[-2 if packing else -1] if len(suffixes) > bool(packing) else ""
    if form == ".eval":
        raise Fault("a log of inspect-ai as it packs it; write it as JSON, by `inspect log convert --to json`")
    if form not in (TEXT_FORMS if packing else (".parquet", *TEXT_FORMS)):
        raise Fault(f"not a .parquet, {', '.join(TEXT_FORMS)} file; text may be packed as .gz or .zst")
    return form, packing


def refuse_other_content(head: bytes, expected: str | None) -> None:
    """Raises Fault if a file's first bytes are those of another form than its name says; None stands for text."""
    actual = next((content for start, content in CONTENT.items() if head.startswith(start)), None)
    if actual == expected:
        return
    way_out = f"name it {READ_AS[actual]}" if actual in READ_AS else "unpack it, or save it as Parquet or JSON lines"
    raise Fault(f"is {actual or 'text'}, not {expected or 'text'} as its name says; {way_out}")
