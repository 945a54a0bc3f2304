"""Qualification types: their names, and (as directories) their whole life."""
