"""How fast a host may be asked, and when again: pure functions of values."""
