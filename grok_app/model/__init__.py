"""Grok-1 as Haiku modules: arrays in, arrays out; no files, no threads."""
