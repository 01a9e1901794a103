"""Questions to a store: read it, never write it."""
