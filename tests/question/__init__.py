"""Tests of questions; a package, so that names of modules may recur elsewhere."""
