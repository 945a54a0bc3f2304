"""The pages on which a reviewer judges what workers submitted, in a browser."""
