"""The commands of `python -m grok_app`: a module each, listed in `main`."""
