"""A pytest plugin: the embedded stack, a database clock, crashes and tree comparison as fixtures."""
