"""What a worker process does: claim tasks, run user code, report back."""
