"""How reasoning is told from an answer: the delimiters that models are known to write around it, as patterns of RE2 in
which no case matters, and the fields and parts of a message that servers and files are known to put it in."""

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

# of a message; the first that says something counts
REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")
# repeat a field in parts, or say at length what it sums up, some encrypted: they count where there is no other
REASONING_DETAILS = ("reasoning_details", "thinking_blocks")
REASONING_PARTS = (*REASONING_FIELDS, "reasoning_text", "summary_text")  # kinds of parts of a content
TEXT_PARTS = ("text", "output_text", "input_text")
