"""What changed between two data versions, by key, and what it comes from."""
