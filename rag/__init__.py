"""A question in, an answer with footnotes out: the public Python API."""
