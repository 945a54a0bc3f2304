"""Doing HITs in a real browser, on the worker site of our own server."""
