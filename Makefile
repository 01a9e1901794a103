# One menu. Needs Python 3.11 or later and make, nothing else; everything goes into .venv.
#
#   make crawl                      crawl the bundled practice site and show a query
#   make crawl URL=https://…        crawl any site
#   make test  make check           what CI runs

# A test starts hundreds of processes: compiled, each begins 60 ms sooner.
unexport PYTHONDONTWRITEBYTECODE

CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11 python
PYTHON ?= $(shell for python in $(CANDIDATES); do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { command -v $$python; break; }; done)
BIN := .venv/bin
READY := .venv/.ready
DEV := .venv/.ready-dev
URL ?=
ARGS ?=
CONFORMANCE := $(wildcard ../shared/conformance/run.py)

VERBS := $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

.PHONY: $(VERBS)

help:
	@sed -n 's/^#   //p' Makefile
	@echo 'also: $(filter-out help crawl test check,$(VERBS))'

# ---------------------------------------------------------------- use

crawl: $(READY)
ifeq ($(URL),)
	@$(BIN)/crawler demo quotes --store data/quotes.db $(ARGS)
else
	@$(BIN)/crawler crawl $(URL) $(ARGS)
endif
	@echo
	@echo 'The command is $(BIN)/crawler. To type just `crawler` in this shell:'
	@echo '  . $(BIN)/activate                      (or, for good: pipx install .)'
	@echo 'Next:'
	@echo '  crawler crawl https://your.example/    your own site, politely'
	@echo '  crawler status                         how the newest crawl stands'
	@echo '  crawler query "SELECT url, title FROM pages LIMIT 10"'
	@echo '  crawler new news https://example.com/  a spider of your own, then: crawler run news'
	@echo '  crawler --help                         every command; docs/tutorial.md starts from here'

# ---------------------------------------------------------------- develop

setup: $(DEV)

# One process a core; the tests of a file stay together. What fails beside others is tried alone.
# Files that take long are named in tests/conftest.py; `make long-test` runs those of them that
# `make kill-test` and `make heal` do not.
SUITE = $(BIN)/pytest -n auto --dist loadfile
AGAIN = $(BIN)/pytest --last-failed --last-failed-no-failures none
KILLED := tests/store/test_kill.py tests/export/test_import_kill.py tests/processes/test_kill.py
KILLED_TOO := tests/store/test_kill_commands.py
HEALED := tests/testing/test_heal.py

test: $(DEV)
	$(SUITE) $(or $(ARGS),-m "not long") || $(AGAIN) $(ARGS)

long-test: $(DEV)
	$(SUITE) -m long $(addprefix --ignore=,$(KILLED) $(KILLED_TOO) $(HEALED)) $(ARGS) || \
		$(AGAIN) $(ARGS)

# The tests that kill a crawl and an import, with a hundred kills, and every command that writes,
# with 200; downloads from a server that changes 50 times. `make kill-test KILLS=20` is the quick
# form, as in CI.
kill-test: $(DEV)
	KILLS=$(or $(KILLS),100) $(BIN)/pytest $(KILLED) $(ARGS)
	KILLS=$(or $(KILLS),20) $(BIN)/pytest tests/clients/test_feed_spider.py $(ARGS)
	KILLS=$(or $(KILLS),200) $(BIN)/pytest -rP $(KILLED_TOO) $(ARGS)
	KILLS=$(or $(KILLS),50) $(BIN)/pytest tests/export/test_follow.py $(ARGS)
	KILLS=$(or $(KILLS),100) CHANGES=50 $(BIN)/pytest tests/clients/test_download_truth.py $(ARGS)

# The browser: every hostile page, 512 private addresses, 50 kills of the crawl and of the browser.
browser-proof: $(DEV)
	BROWSER_PROOF=1 KILLS=$(or $(KILLS),50) $(BIN)/pytest tests/browser/test_hostile.py tests/browser/test_private.py tests/browser/test_kill.py $(ARGS)

# Every action of steering by page, command line, SQL and Python, over both backends.
control-proof: $(DEV)
	CONTROL=all $(BIN)/pytest -n 0 tests/control/test_every_way.py $(ARGS)

# Worker processes over PostgreSQL that are killed, frozen and stopped, cut off, and whose server is
# stopped at once: the tables of an undisturbed crawl, and by the web's log one worker on a host at a
# time, and the delay between two requests. PROOF_HOSTS, PROOF_KILLS and so on say how much of it.
postgres-proof: $(DEV)
	PROOF=1 $(BIN)/pytest -n 2 --dist load -rP tests/store/test_cluster.py $(ARGS)
	PROOF=1 $(BIN)/pytest -n 0 -rP tests/store/test_cluster_limits.py $(ARGS)
	PROOF_FLUSHES=63 $(BIN)/pytest -n 0 tests/store/test_workers.py -k overlapping
	KILLS=$(or $(KILLS),50) $(BIN)/pytest -n 0 -rP tests/export/test_follow_postgres.py $(ARGS)

# Many machines on one: a PostgreSQL of its own, 200 hosts on loopback, four worker processes; it
# shows them finish, and leaves nothing behind. HOSTS, PAGES, WORKERS, DELAY, SECONDS change it.
cluster: $(DEV)
	$(BIN)/python deploy/cluster.py

# What goes into items comes out of SQL, JSON lines, Parquet and pandas: 200,000 values.
values: $(DEV)
	VALUES=200000 $(BIN)/pytest tests/items/test_given.py tests/items/test_types.py $(ARGS)

# Every eighth page of three manuals as BeautifulSoup has it; with STEP=1 each of them. A crawl of
# four finds just the pages that a walk over their files does.
real-pages: $(DEV)
	STEP=$(or $(STEP),8) $(BIN)/pytest tests/parse/test_fast_pass_and_soup.py tests/parse/test_soup.py tests/engine/test_real_sites.py $(ARGS)

# Fifty changes of a site, each of which must be told and most of which are healed; half in CI's suite.
heal: $(DEV)
	HEAL=all $(BIN)/pytest $(HEALED) $(ARGS)

# Every command, and every view of the live page, over a store that is damaged in every way that
# tests/support/damaged_stores.py has.
damaged: $(DEV)
	DAMAGED=all $(BIN)/pytest tests/store/test_damaged_stores.py tests/dashboard/test_damaged.py $(ARGS)

# DuckDB, pandas, polars, Datasette and sqlite-utils open a store, and reckon right.
other-tools: $(DEV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[tools]'
	$(BIN)/pytest -rs tests/export/test_other_tools.py tests/cli/test_datasette.py 'tests/docs/test_how_to.py::test_a_page_runs[duckdb]' $(ARGS)

# Every port in examples/ with its full numbers, and their types as the strictest readers see them.
examples: $(DEV) example-types
	CRAWLER_EXAMPLE_RECORDS=100000 $(BIN)/pytest tests/test_examples.py $(ARGS)

# Their types alone, as in CI, whose suite runs each of them with a tenth of the records.
example-types: $(DEV)
	$(BIN)/mypy --strict examples/*.py
	@$(BIN)/python -c 'import pyright' 2>/dev/null || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pyright[nodejs]>=1.1.400'
	$(BIN)/pyright --pythonpath $(BIN)/python examples

check: $(DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy --platform win32
	$(BIN)/mypy --platform darwin
	$(BIN)/mypy --strict examples/*.py
	$(BIN)/pytest tests/test_floors.py

fmt: $(DEV)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# What is made from the code; tests fail when these files are behind it.
docs: $(DEV)
	$(BIN)/crawler config > .made && mv .made config.toml
	$(BIN)/crawler config --format markdown > .made && mv .made docs/configuration.md
	$(BIN)/python -m crawler.cli.reference > .made && mv .made docs/cli.md
	$(BIN)/python docs/make/rooms.py > .made && mv .made docs/rooms.svg
	$(BIN)/python docs/make/passes.py --write
	$(BIN)/python docs/make/glossary.py --write
	$(BIN)/python docs/make/api.py --write
	$(BIN)/python docs/make/scrapy_names.py --write

# The documentation as a site, in site/: warnings are errors, and our own crawler checks its links.
docs-site: $(DEV)
	@$(BIN)/python -c 'import zensical, mkdocstrings' 2>/dev/null || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	$(BIN)/python docs/make/api.py
	$(BIN)/zensical build --clean --strict
	$(BIN)/python docs/make/finish.py site
	$(BIN)/python docs/make/check_site.py site
	$(BIN)/python docs/make/check_in_browser.py site

# The pictures of the documentation, made from the real thing: one script a kind, each by itself.
pictures: $(DEV)
	for script in docs/make/pictures/*.py; do $(BIN)/python $$script || exit 1; done

# The wheel and the sdist, tried in empty environments of every Python from 3.11 that is there.
release: $(DEV)
	@$(BIN)/python -c 'import build' 2>/dev/null || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check build
	.ci/release

conformance: $(DEV)
ifeq ($(CONFORMANCE),)
	@echo 'The conformance tables are not here.'
else
	$(BIN)/python $(CONFORMANCE) --show 5 $(ARGS)
endif

# What Chromium makes of the pages and forms in tests/browser: `make oracle ARGS=form-`, or all.
oracle: $(DEV)
	$(BIN)/python tests/browser/record.py $(ARGS)

clean:
	rm -rf .venv .made .cache site .mypy_cache .ruff_cache .pytest_cache .hypothesis bench/.work build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---------------------------------------------------------------- measure

bench: $(DEV)
	$(BIN)/python bench/run.py $(ARGS)

bench-scale: $(DEV)
	$(BIN)/python bench/scale.py $(ARGS)

# What stays small: the stalls of the event loop, and memory over 100,000 pages.
bench-flat: $(DEV)
	$(BIN)/python bench/stall.py
	$(BIN)/python bench/flat.py $(ARGS)

bench-start: $(DEV)
	$(BIN)/python bench/start.py $(ARGS)

# A million start URLs over 100,000 hosts, against 10,000 over 1,000: CPU a URL and memory.
bench-seeds: $(DEV)
	$(BIN)/python bench/seeds.py --most 1.3 --memory 200 $(ARGS)

# Every view of the live page over a million pages and five million items; what it costs a crawl.
bench-page: $(DEV)
	$(BIN)/python bench/live_page.py $(ARGS)
	$(BIN)/python bench/live_page.py --loss

# What an empty hook and an empty pipeline cost a page.
bench-pieces: $(DEV)
	$(BIN)/python bench/pieces.py $(ARGS)

# Feeds of a gigabyte in each format: time, and memory that stays flat.
bench-feed: $(DEV)
	$(BIN)/python bench/feed.py --memory 150 $(ARGS)
	$(BIN)/python bench/feed.py --memory 150 --crawl $(ARGS)

# CPU of a rendered page against a bare Playwright loop, and memory over 1,000 of them.
bench-browser: $(DEV)
	$(BIN)/python bench/browser.py $(ARGS)

profile: $(DEV)
	$(BIN)/python bench/stages.py $(ARGS)

# Ours alone on the real sites, against the pages that an independent loop finds.
bench-sites: $(DEV)
	$(BIN)/python bench/run.py --systems sketch ours --rounds 1 $(ARGS)

# DokuWiki, django-oscar, Datasette and cgit with the defaults, as far as they are installed.
bench-applications: $(DEV)
	$(BIN)/python bench/applications.py $(ARGS)

# The view broken_links beside LinkChecker, over three manuals of Debian.
bench-links: $(DEV)
	$(BIN)/python bench/broken_links.py $(ARGS)

# ---------------------------------------------------------------- set-up

$(READY): pyproject.toml
ifeq ($(PYTHON),)
	@echo 'No Python 3.11 or later was found (looked for: $(CANDIDATES)).'
	@echo 'Install one, or name it: make PYTHON=/path/to/python3.12'
	@exit 1
else
	@echo 'Setting up .venv with $(PYTHON) …'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@
endif

# The browser apart: of greenlet it takes 3, while httpbin asks for 2, and needs none.
$(DEV): $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev-browser,browser]' 2>/dev/null
	@touch $@
