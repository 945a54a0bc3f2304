"""The ``batch-$ID`` directory: what went in, what was done, what came back."""
