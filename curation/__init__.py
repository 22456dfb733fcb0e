"""From model traces to the pairs that DPO and KTO learn from."""

__version__ = "0.2.0"
