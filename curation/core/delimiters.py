"""The delimiters that models are known to write around their reasoning, as patterns of RE2. No case matters."""

THOUGHT = r"(?:\w+:)?(?:think|thinking|thought|thoughts|reason|reasoning|reflection|scratchpad|analysis)"
OPENING, CLOSING = (
    rf"<{end}{THOUGHT}>|\[{end}think(?:ing)?\]|◁{end}think▷|<\|{word}_{THOUGHT}\|>|{channel}"
    for end, word, channel in (
        ("", "(?:begin_of|start)", r"<\|channel\|>(?:analysis|commentary)"),
        ("/", "(?:end_of|end)", r"<\|channel\|>final<\|message\|>"),
    )
)
DELIMITER = f"(?i:{OPENING}|{CLOSING})"
CHANNEL = "<|channel|>"
HARMONY = (CHANNEL, "<|start|>", "<|message|>", "<|constrain|>", "<|end|>", "<|return|>", "<|call|>")
