"""Helpers for testing workflows against a real ledger."""
