"""What the benchmark reports, checked on figures small enough to work out by hand."""

import importlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from measure import Cost, RunError, run
from results import Sample, figures, markdown, means
from run import pages_among
from stopwatch import STAGES, Stopwatch
from synthetic import SPREADS, Web, number_of


def sample(number: int, system: str, cpu: float, *, corpus: str = "a") -> Sample:
    return Sample(number, corpus, system, 100, 0, 0, Cost(wall=1.0, cpu=cpu, peak_mb=50.0))


def test_a_ratio_is_taken_within_a_round_and_the_median_of_them_is_given() -> None:
    fast, slow, broken = (1.0, 2.0), (10.0, 30.0), (1.0, 3.0)  # the second round: twice as slow
    pairs = enumerate((fast, slow, broken))
    samples = [sample(n, s, c) for n, pair in pairs for s, c in zip("xy", pair, strict=True)]
    ours, other = figures(samples, "x")
    assert ours.ratio == 1.0
    assert other.ratio == 3.0
    assert other.cpu_ms == 30.0


def test_means_over_corpora_are_geometric() -> None:
    samples = [sample(0, "x", 1.0, corpus="a"), sample(0, "x", 4.0, corpus="b")]
    cpu, ratio = means(figures(samples, "x"))["x"]
    assert cpu == pytest.approx(20.0)
    assert ratio == pytest.approx(1.0)


def test_the_table_says_which_system_missed_pages() -> None:
    cost = Cost(1.0, 1.0, 50.0)
    rows = figures([Sample(0, "a", "x", 98, missing=2, extra=1, cost=cost)], "x")
    assert "98 (-2 +1)" in markdown(rows, {"x": "X"}, "x")


def test_fragments_and_other_files_make_no_pages() -> None:
    found = {"http://h/a.html#one", "http://h/a.html", "http://h/", "http://h/a.png"}
    assert pages_among(found) == {"http://h/a.html", "http://h/"}


def test_the_cost_of_a_command_includes_its_children(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    assert run([sys.executable, "-c", nested], tmp_path / "log").cpu >= 0.2


def test_a_command_that_fails_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="exit 3\nno such luck"):
        run([sys.executable, "-c", "print('no such luck'); exit(3)"], tmp_path / "log")


@pytest.mark.parametrize("spread", SPREADS)
def test_the_synthetic_web_is_the_same_every_time_and_mostly_known(spread: str) -> None:
    def walk() -> list[list[int]]:
        web = Web(hosts=50, spread=SPREADS[spread])
        return [web.links_of(number) for number in (*web.seeds(), *range(50, 500))]

    pages = walk()
    assert pages == walk()
    seen = set(range(50))
    for links in pages:
        assert len(links) == 50
        assert len(set(links) - seen) == 5
        seen.update(links)


def test_an_address_of_the_synthetic_web_leads_back_to_its_number() -> None:
    assert number_of(Web().url(1_234_567)) == 1_234_567


def test_every_stage_of_the_profile_names_a_function_that_there_is() -> None:
    for module, name, _ in STAGES["crawler"]:
        owner: object = importlib.import_module(module)
        for part in name.split("."):
            assert hasattr(owner, part), (module, name)
            owner = getattr(owner, part)


def test_nested_stages_do_not_count_twice() -> None:
    watch = Stopwatch()
    inner = watch.timed("inner", lambda: sum(range(300_000)))
    outer = watch.timed("outer", lambda: inner())
    outer()
    assert watch.seconds["outer"] < watch.seconds["inner"] / 2
