"""Batches of Mechanical Turk HITs as directories.

A definition and data become HITs, and a self-describing ``batch-$ID`` directory
from which every later step works. The verbs are in :mod:`turkbatch.actions`.
"""

from __future__ import annotations

__version__ = "0.1.0"
