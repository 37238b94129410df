"""Jobs for the faults."""
