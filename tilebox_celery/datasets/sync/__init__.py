"""The synchronous datasets client."""
