"""The command line: one noun per file, thin over the client and the ledger."""
