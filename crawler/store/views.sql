-- The views of a store, made anew at each open where they are not as here (see store/views.py).
-- {error} and the like stand for the outcomes with that mark in crawler/outcome.py; the table
-- `outcomes` has the same marks.

-- Every link of every page.
CREATE VIEW links AS
    SELECT pages.url AS source, link.value AS target, link.key AS position, pages.page_id
    FROM link_lists JOIN pages USING (page_id), json_each(link_lists.targets) AS link;

-- Requests that ended in an error, the web's or the spider's fault.
CREATE VIEW errors AS
    SELECT page_id, url, outcome, status, error, attempts, fetched_at, run_id, parent_id
    FROM pages WHERE outcome IN ({error});

-- Links to what is not there, each with the page it stands on; with links.check_fragments those to
-- a part of a page that has no such part, too.
CREATE VIEW broken_links AS
    WITH broken AS MATERIALIZED (
        SELECT url, outcome, status, error FROM pages WHERE outcome IN ({broken})
    )
    SELECT referrer.url AS source, broken.url AS target, broken.outcome, broken.status, broken.error
    FROM link_lists
    CROSS JOIN json_each(link_lists.targets) AS link
    CROSS JOIN broken ON broken.url = link.value
    CROSS JOIN pages AS referrer ON referrer.page_id = link_lists.page_id
    UNION ALL
    SELECT referrer.url, link.value, target.outcome, target.status, 'no such anchor'
    FROM link_lists
    CROSS JOIN json_each(link_lists.fragments) AS link
    CROSS JOIN pages AS target ON target.url = substr(link.value, 1, instr(link.value, '#') - 1)
    CROSS JOIN link_lists AS there
        ON there.page_id = target.page_id AND there.anchors IS NOT NULL
    CROSS JOIN pages AS referrer ON referrer.page_id = link_lists.page_id
    WHERE NOT EXISTS (
        SELECT 1 FROM json_each(there.anchors) AS anchor
        WHERE anchor.value = substr(link.value, instr(link.value, '#') + 1)
    );

-- Redirects, and where each chain leads in one step.
CREATE VIEW redirects AS
    SELECT pages.url AS source, pages.redirect_to AS target, pages.status,
           target.outcome AS target_outcome, target.status AS target_status, pages.page_id
    FROM pages LEFT JOIN pages AS target ON target.url = pages.redirect_to
    WHERE pages.redirect_to IS NOT NULL;

-- Pages with the very same body, and how many there are of it.
CREATE VIEW duplicates AS
    SELECT content_hash, copies, first_url, url, title, page_id
    FROM (
        SELECT content_hash, url, title, page_id,
               count(*) OVER (PARTITION BY content_hash) AS copies,
               first_value(url) OVER (PARTITION BY content_hash ORDER BY page_id) AS first_url
        FROM pages WHERE content_hash IS NOT NULL AND outcome IN ({stored})
    ) AS counted
    WHERE copies > 1;

-- Pages whose answer took a second or more, the slowest first.
CREATE VIEW slow_pages AS
    SELECT url, elapsed, size, status, outcome, fetched_at, page_id FROM pages
    WHERE elapsed >= 1 ORDER BY elapsed DESC;

-- Stored pages that no other stored page links to.
CREATE VIEW orphans AS
    WITH linked AS MATERIALIZED (  -- GROUP BY sorts, which beats the tree that DISTINCT fills
        SELECT link.value AS url
        FROM link_lists CROSS JOIN pages AS source ON source.page_id = link_lists.page_id
        CROSS JOIN json_each(link_lists.targets) AS link ON link.value <> source.url
        GROUP BY link.value
    )
    SELECT pages.url, pages.title, pages.depth, pages.page_id
    FROM pages LEFT JOIN linked ON linked.url = pages.url
    WHERE pages.outcome IN ({stored}) AND linked.url IS NULL;

-- How many links a page has, and how many pages link to it.
CREATE VIEW link_counts AS
    WITH inbound AS MATERIALIZED (
        SELECT link.value AS url, count(*) AS number
        FROM link_lists CROSS JOIN json_each(link_lists.targets) AS link
        GROUP BY link.value
    )
    SELECT pages.url, coalesce(json_array_length(link_lists.targets), 0) AS links_out,
           coalesce(inbound.number, 0) AS links_in, pages.page_id
    FROM pages
    LEFT JOIN link_lists USING (page_id)
    LEFT JOIN inbound ON inbound.url = pages.url
    WHERE pages.outcome IN ({stored});

-- The files that belong to a page, and so to its items: what it had downloaded, and itself where it
-- is a download, whose callback gave the items.
CREATE VIEW page_files AS
    SELECT pages.page_id, files.url, files.path, files.sha256, files.size, files.name,
           files.content_type, files.page_id AS file_id, files.run_id
    FROM files JOIN pages USING (page_id)
    UNION ALL
    SELECT download.parent_id, files.url, files.path, files.sha256, files.size, files.name,
           files.content_type, files.page_id, files.run_id
    FROM files JOIN pages AS download USING (page_id) WHERE download.parent_id IS NOT NULL;
