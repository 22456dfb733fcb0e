"""Releases: rows with all that they stand on, in a folder that another machine can verify."""
