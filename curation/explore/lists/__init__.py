"""All pairs, traces or prompts of a study with whatever an expression may name of each."""
