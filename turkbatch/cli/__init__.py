"""The commands: they parse and ask; :mod:`turkbatch.actions` decides and calls."""
