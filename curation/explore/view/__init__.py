"""`curation view`: pages over a study's tables, for one person at this machine. Nothing of it writes a table."""
