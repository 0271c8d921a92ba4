"""Several replies to one message, side by side."""
