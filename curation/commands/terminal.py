"""What every command shares: how it reads its arguments, and how it prints rows."""

import argparse
import csv
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `curation params` prints no rows, and does not wait for it
    import polars as pl

DECIMALS_SHOWN = 3
P_VALUES = ("p", "p_holm")  # columns whose digits matter however small the number


class Parser(argparse.ArgumentParser):
    """Takes options by their whole names alone, since `orphans --del` deleted; keeps the lines of its texts."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)


def print_rows(rows: "pl.DataFrame", form: str | None = None) -> None:
    """Print rows as a table, or as `json` (64-bit ids as strings, NaN and infinity as null), `csv` or `md`."""
    import polars as pl

    if form in ("json", "csv"):
        ids = [name for name, dtype in rows.schema.items() if name.endswith(("_id", "against")) and dtype == pl.Int64]
        rows = rows.with_columns(pl.col(ids).cast(pl.String))
    if form == "json":
        reals = [name for name, dtype in rows.schema.items() if dtype.is_float()]
        finite = rows.with_columns(pl.when(pl.col(name).is_finite()).then(pl.col(name)) for name in reals)
        print(json.dumps(finite.to_dicts(), indent=1, ensure_ascii=False, default=str))
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(rows.columns)
        writer.writerows(rows.rows())
    else:
        rows = rows.with_columns(_show_p_values(rows[name]) for name in P_VALUES if name in rows.columns)
        with pl.Config(
            tbl_formatting="MARKDOWN" if form == "md" else "UTF8_FULL_CONDENSED",
            tbl_hide_column_data_types=True,
            tbl_hide_dataframe_shape=True,
            tbl_rows=200,
            tbl_cols=40,
            tbl_width_chars=200,
            fmt_str_lengths=80,
            float_precision=DECIMALS_SHOWN,
        ):
            print(rows)


def _show_p_values(values: "pl.Series") -> "pl.Series":
    """Numbers from 0 to 1 as text that never rounds one to 0: 0.0003 is 0.0003."""
    shown = [None if p is None else f"{p:.{DECIMALS_SHOWN}f}" if p >= 0.01 else f"{p:.2g}" for p in values.to_list()]
    return type(values)(values.name, shown)
