"""Harnesses whose logs hold the results of runs: a file each."""
