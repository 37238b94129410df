"""A Valkey of a folder. Nothing is imported here: its keeper does without the client of Redis."""
