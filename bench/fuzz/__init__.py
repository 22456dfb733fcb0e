"""Hostile input at random, a kind a file: `run(count, seed)` gives how often each outcome came."""
