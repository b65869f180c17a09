"""The public API of clients: one file per noun, over one transport."""
