"""Which links of a page are followed, and which spaces of URLs have no end."""
