"""The same two-step job, answers and then judgments of them, in this toolkit and in its peers, on one server that
counts."""
