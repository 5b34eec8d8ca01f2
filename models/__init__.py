"""Which models there are, and how a name becomes a verified path on this machine."""
