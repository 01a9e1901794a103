"""Worker processes: they fetch, parse, call the spider and pack, for the one process that decides.

The owner keeps frontier, politeness, robots.txt and store, hands requests out and commits what
comes back; `pool` is its side, `worker` is a process. What goes between them is in `messages`.
"""
