"""The resident engine: requests in, tokens out. Knows nothing of chat or of the web."""
