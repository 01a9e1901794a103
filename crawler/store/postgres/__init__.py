"""The store on PostgreSQL: one schema for each crawl, any number of worker processes.

Hosts are leased: one worker process at a time asks a host, and only it records what the host's
requests led to. Each flush begins with the worker's own row, which is its fence and its heartbeat.
"""
