"""The job graph and all that may happen to it."""
