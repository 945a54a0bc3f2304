"""The service: where it is, how it is called, how it fails. Nothing of batches."""
