# SPDX-License-Identifier: Apache-2.0
"""Goal: what Kepler says is taken when it can be, and when it cannot the program is estimated, and says so.

Method: a fake exporter over real HTTP; the process that is accounted for is this one.
"""

from __future__ import annotations

import os

import pytest
from fake_kepler import FAKE_PATH, FakeKepler

import tools.energy.kepler
from stack.process import StackError, cpu_seconds, poll_until
from tools.energy.account import Account, Use
from tools.energy.exposition import samples
from tools.energy.factors import FAKE, MEASURED, MODELLED, Factors, UnknownRegion, grid_of, regions, worst
from tools.energy.kepler import Kepler

ME = os.getpid()
FACTORS = Factors()


def work(seconds: float = 0.1) -> None:
    """Spends CPU time."""
    goal = cpu_seconds(ME) + seconds
    for _ in poll_until(60, 0):
        if cpu_seconds(ME) >= goal:
            return
    pytest.fail(f"no {seconds} s of CPU time in a minute")


def account_of(kepler: FakeKepler) -> Account:
    kepler.begin_reads = 1
    return Account({"me": [ME]}, FACTORS, Kepler(kepler.url))


def only(uses: list[Use]) -> Use:
    [use] = uses
    return use


def test_joules_are_kepler_s_of_one_zone_with_pue(kepler: FakeKepler) -> None:
    kepler.begin, kepler.spent = {ME: 7.0, 1: 50.0}, {ME: 12.5, 1: 800.0}
    account = account_of(kepler)
    use = only(account.close())
    assert use.joules == pytest.approx(12.5 * 1.1) and use.quality == MEASURED
    assert kepler.url in use.source and not account.doubts


def test_a_fake_meter_is_called_fake(kepler: FakeKepler) -> None:
    kepler.begin, kepler.spent, kepler.path = {ME: 7.0}, {ME: 1.0}, FAKE_PATH
    assert only(account_of(kepler).close()).quality == FAKE
    kepler.path = "/host/sys/class/powercap/intel-rapl:0"
    told = Kepler(kepler.url, fake=True)
    assert told.quality(told.read()) == FAKE


def test_a_process_that_began_later_counts_from_zero(kepler: FakeKepler) -> None:
    kepler.begin = {}
    account = account_of(kepler)
    kepler.begin = {ME: 3.0}
    assert only(account.close()).joules == pytest.approx(3.3)


@pytest.mark.parametrize(
    ("begin", "end", "why"),
    [
        ({ME: 7.0}, {}, "does not know process"),
        ({ME: 7.0}, {ME: 3.0}, "started again"),
        ({ME: 7.0}, {ME: 7.0}, "0 joules, although it has worked"),
    ],
)
def test_what_kepler_cannot_know_is_modelled(kepler: FakeKepler, begin: dict, end: dict, why: str) -> None:
    kepler.begin = begin
    account = account_of(kepler)
    work()
    kepler.begin = end
    use = only(account.close())
    assert use.quality == MODELLED and why in account.doubts[0]
    assert use.cpu_s > 0.09 and use.joules == pytest.approx(use.cpu_s * 4.11 * 1.1)


def test_without_kepler_joules_are_cpu_time_times_watts_times_pue() -> None:
    before = cpu_seconds(ME)
    account = Account({"me": [ME]}, FACTORS, None)
    work(0.3)
    use = only(account.close())
    assert 0.29 < use.cpu_s <= cpu_seconds(ME) - before
    assert use.joules == pytest.approx(use.cpu_s * 4.11 * 1.1) and use.quality == MODELLED


def test_a_meter_that_stands_still_is_an_error(kepler: FakeKepler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools.energy.kepler, "MOVE_S_MAX", 1)
    kepler.moves, kepler.begin = False, {ME: 7.0}
    with pytest.raises(StackError, match="stands still"):
        account_of(kepler).close()


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ((200, "# nothing\n"), "does not answer as Kepler does"),
        ((200, "up 1\n"), "does not answer as Kepler does"),
        ((200, "<html>hello there</html>\n"), "not a line of metrics"),
        ((200, "kepler_build_info 1\n"), "it has no meter"),
        ((200, 'kepler_node_cpu_joules_total{zone="dram"} 5\n'), "it has no meter"),
        ((503, "busy"), "answers 503"),
    ],
)
def test_who_is_no_kepler_is_told_so(kepler: FakeKepler, raw: tuple[int, str], why: str) -> None:
    kepler.raw = raw
    with pytest.raises(StackError, match=why):
        Kepler(kepler.url).read()


def test_nobody_there() -> None:
    with FakeKepler() as gone:
        url = gone.url
    with pytest.raises(StackError, match=f"no Kepler at {url}/metrics: .*refused"):
        Kepler(url).read()


def test_labels_with_quotes_and_braces_are_read() -> None:
    [sample] = samples('# HELP x y\nx{a="1",b="say \\"hi\\", {you}\\n",c=""} 1.5e3 1700000000000\n')
    assert sample.labels == {"a": "1", "b": 'say "hi", {you}\n', "c": ""} and sample.value == 1500


def test_regions_have_value_source_and_date() -> None:
    table = regions()
    assert len(table) > 40
    for grid in table.values():
        assert grid.value > 0 and 0 <= grid.cfe_percent <= 100 and grid.source and grid.date == "2025"
    assert (grid_of("europe-west1").value, grid_of("europe-west1").location) == (126.43, "Belgium")
    assert grid_of("us-central1").cfe_percent == 88


def test_an_unknown_region_is_told_with_what_may_be_meant() -> None:
    with pytest.raises(UnknownRegion, match="europ-west1; did you mean europe-west1"):
        grid_of("europ-west1")


def test_a_sum_is_as_good_as_its_worst_part() -> None:
    assert worst({MEASURED, MODELLED}) == MODELLED
    assert worst({MEASURED, MODELLED, FAKE}) == FAKE
    assert worst({MEASURED}) == MEASURED
