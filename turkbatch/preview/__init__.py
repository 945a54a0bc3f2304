"""The pages on which a batch that is not published can be looked at, live or as files."""
