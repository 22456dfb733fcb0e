"""Looking at a study: what is known of a pair, a trace, a prompt or a run, and how it is shown."""
