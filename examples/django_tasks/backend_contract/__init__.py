"""What the Tasks framework expects of a backend."""
