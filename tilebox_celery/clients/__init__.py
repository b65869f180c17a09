"""Names of the documents that fit nowhere else."""
