"""What is asked for and what came back: requests, responses, pages and visits as values."""
