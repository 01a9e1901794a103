"""The worker processes of a crawl over PostgreSQL: where they run, and how they keep up."""

from __future__ import annotations

from crawler.errors import UsageError
from crawler.inspect.query import Reader, Rows
from crawler.store.address import DatabaseAddress

_WORKERS = """
SELECT worker_id AS worker, split_part(node, '/', 1) AS machine, pid,
       CASE WHEN expires_at > clock_timestamp() THEN 'alive' ELSE 'silent' END AS state,
       round(extract(epoch FROM expires_at - clock_timestamp())::double precision, 1) AS lease,
       (SELECT count(*) FROM crawl_hosts AS h WHERE h.worker_id = w.worker_id) AS hosts,
       run_pages AS pages,
       round((run_pages / greatest(0.001, extract(epoch FROM clock_timestamp() - joined_at)))
             ::double precision, 1) AS per_second,
       flush_no AS flushes, round(lag, 3) AS lag
FROM crawl_workers AS w ORDER BY worker_id
"""


def workers(reader: Reader) -> Rows:
    """Return a row for each worker process; UsageError for a store that has but one.

    `lease` are the seconds until others may take its hosts, `per_second` its pages since it
    joined, `lag` the seconds that its last commit took.
    """
    if not isinstance(reader.path, DatabaseAddress):
        raise UsageError(
            f"{reader.path}: a file is crawled into by one process, which crawler status names"
        )
    return reader.query(_WORKERS)
