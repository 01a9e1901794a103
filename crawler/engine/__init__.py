"""The workers, and what they share."""
