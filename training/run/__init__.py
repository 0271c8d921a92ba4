"""The model in training: batches, loss, steps, state, export."""
