"""The dataset card of a release: README.md with the hub's header, and its pictures."""
