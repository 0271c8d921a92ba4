"""A text that the model continues in place."""
