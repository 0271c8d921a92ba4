"""What stands between the page and the world: connections, limits, and what is let through."""
