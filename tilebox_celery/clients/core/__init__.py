"""Values that the documents import from here."""
