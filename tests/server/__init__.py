"""Tests of the server; a package, so that names of modules may recur elsewhere."""
