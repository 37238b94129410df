"""Faults, in sizes of one's choice; tests run the same in small."""
