"""SQL expressions in params.yaml: what they may say, what they are made of, and their values."""
