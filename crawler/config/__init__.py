"""Configuration: the sections and their keys, and where values come from."""
