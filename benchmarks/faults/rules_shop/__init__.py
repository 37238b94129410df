"""Twenty classes of jobs with all rules of flow control."""
