"""Cost: prices times hosts, from a catalogue that says where its figures come from."""

import itertools
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from psmodel.errors import BadInput
from psmodel.scenario import Scenario, load
from psmodel.whatif.prices import (
    Catalogue,
    cost,
    equip,
    load_catalogue,
    machines_for,
    no_machine,
    undominated,
)
from psmodel.whatif.sweeps import Setup, grid, sweep

GOOD = """schema_version = 2
name = "mine"
currency = "EUR"
read_on = 2026-01-31
[offer.here]
provider = "us"
region = "cellar"
[offer.here.origin]
price_per_hour = { source = "a bill", as_of = 2026-01-30, read_on = 2026-01-31 }
bandwidth = { source = "iperf", as_of = 2026-01-30, read_on = 2026-01-31 }
cores = { source = "nproc", as_of = 2026-01-30, read_on = 2026-01-31 }
[[machine]]
name = "slow"
offer = "here"
price_per_hour = 1.0
bandwidth = "10Gbps"
cores = 4
[[machine]]
name = "fast"
offer = "here"
price_per_hour = 3.0
bandwidth = "100Gbps"
cores = 64
"""


@pytest.fixture
def mine(tmp_path: Path) -> Catalogue:
    (tmp_path / "mine.toml").write_text(GOOD)
    return load_catalogue(tmp_path / "mine.toml")


def test_the_packaged_catalogue_says_date_and_origin_of_every_figure() -> None:
    catalogue = load_catalogue()
    assert catalogue.currency == "USD"
    assert len(catalogue.machine) >= 60
    assert {offer.provider for offer in catalogue.offer.values()} >= {"AWS", "Google Cloud", "Azure"}
    for machine in catalogue.machine:
        assert machine.offer is not None
        origin = catalogue.offer[machine.offer].origin
        for figure in ("price_per_hour", "bandwidth", "cores", "memory"):
            assert getattr(machine, figure) is not None
            assert "http" in origin[figure].source  # type: ignore[index]
            assert origin[figure].as_of <= origin[figure].read_on  # type: ignore[index]
    rates = {machine.name: machine.bandwidth * 8 / 1e9 for machine in catalogue.machine}
    examples = {"c5.9xlarge": 12, "c5.18xlarge": 25, "c5n.9xlarge": 50, "c5n.18xlarge": 100}
    assert rates.items() >= examples.items()


def test_a_burst_is_no_rate_that_lasts() -> None:
    catalogue = load_catalogue()
    m6in = catalogue.get("m6in.4xlarge")
    assert (m6in.bandwidth, m6in.burst_bandwidth) == (25e9 / 8, 50e9 / 8)
    rate = equip({"machine": "m6in.4xlarge"}, catalogue)["bandwidth"]
    assert set(rate.values()) == {f"{25e9 / 8!r} B/s"}
    two = Catalogue(
        schema_version=2, name="two", currency="EUR", read_on=catalogue.read_on,
        machine=(m6in.model_copy(update={"offer": None}), catalogue.get("c7gn.4xlarge").model_copy(
            update={"offer": None, "price_per_hour": 9.0})),
    )  # fmt: skip
    machines_chosen = machines_for(load("ingress-single", bandwidth="30Gbps"), {}, two)
    assert machines_chosen is not None
    assert machines_chosen.worker.name == "c7gn.4xlarge"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "schema_version = 2",
            "schema_version = 1",
            "schema_version: 1 is not what this psmodel reads; it reads 2",
        ),
        ("price_per_hour = 1.0", "price_per_hour = -1", "price_per_hour"),
        ('bandwidth = "10Gbps"', 'bandwidth = "10 parsec"', "parsec"),
        (
            'bandwidth = "10Gbps"',
            'bandwidth = "10Gbps"\nburst_bandwidth = "5Gbps"',
            "burst_bandwidth = 5 Gbit/s",
        ),
        ('name = "fast"', 'name = "slow"', "'slow' is listed twice"),
        ('name = "fast"', 'name = "c6 [/x]"', "machine.1.name"),
        ('name = "fast"', 'name = "[old] c5"', "machine.1.name"),
        ('name = "fast"', 'name = "=1+1"', "machine.1.name"),
        ('name = "fast"', 'name = "a,b"', "machine.1.name"),
        ("cores = 4", "core = 4", "core"),
        (
            "cores = 4",
            'cores = 4\nmemory = "8GiB"',
            "'slow' has memory, of which offer.here.origin says nothing",
        ),
        ('offer = "here"', 'offer = "there"', "offer = 'there'; there are here"),
        ("currency", "money", "currency"),
        ("[[machine]]", "[[", "mine.toml"),
    ],
)
def test_a_bad_catalogue_is_one_sentence(tmp_path: Path, old: str, new: str, words: str) -> None:
    (tmp_path / "mine.toml").write_text(GOOD.replace(old, new, 1) if old != "[[machine]]" else "[[")
    with pytest.raises(BadInput) as caught:
        load_catalogue(tmp_path / "mine.toml")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(BadInput, match=r"absent\.toml"):
        load_catalogue(tmp_path / "absent.toml")


@pytest.mark.parametrize("shards", [1, 4, 10, 11, 100])
@pytest.mark.parametrize(
    ("placement", "shards_per_host", "hosts"),
    [
        ("dedicated", 1, lambda k: 10 + k),
        ("dedicated", 4, lambda k: 10 + math.ceil(k / 4)),
        ("dedicated", 10, lambda k: 10 + math.ceil(k / 10)),
        ("dedicated", 1000, lambda k: 11),
        ("colocated", 1, lambda k: max(10, k)),
        ("single-host", 1, lambda k: 1),
    ],
)
def test_hosts_are_paid_and_not_shards(
    mine: Catalogue, placement: str, shards_per_host: int, hosts: Callable[[int], int], shards: int
) -> None:
    scenario = load(
        "ingress-single", workers=10, shards=shards, placement=placement, shards_per_host=shards_per_host
    )
    machines = machines_for(scenario, {}, mine)
    assert machines is not None
    assert machines.worker.name == machines.shard.name == "slow"
    price = cost(scenario, machines, 0.36, mine.currency)
    assert price.per_hour == pytest.approx(hosts(shards))
    assert price.per_1000_iterations == pytest.approx(hosts(shards) * 0.1)


def test_a_sweep_over_shards_per_host_shows_what_is_saved(mine: Catalogue) -> None:
    base = load("ingress-single", workers=100, shards=100)
    rows = sweep(base, grid("shards_per_host=1,10"), Setup(catalogue=mine)).to_rows()
    assert [row["cost_per_hour"] for row in rows] == [200.0, 110.0]


def test_each_role_gets_the_cheapest_machine_that_suffices(mine: Catalogue) -> None:
    base = load("ingress-single", bandwidth={"shard_down": "40Gbps"})
    machines = machines_for(base, {}, mine)
    assert machines is not None
    assert (machines.worker.name, machines.shard.name) == ("slow", "fast")
    together = load("ingress-single", placement="colocated", bandwidth="40Gbps")
    shared = machines_for(together, {}, mine)
    assert shared is not None
    assert shared.worker.name == shared.shard.name == "fast"
    many_cores = machines_for(base.replace(bandwidth="1Gbps", cores_per_host=8), {}, mine)
    assert many_cores is not None
    assert many_cores.worker.name == "fast"
    impossible = base.replace(bandwidth="1Tbps")
    assert machines_for(impossible, {}, mine) is None
    assert "fast with 100 Gbit/s" in str(no_machine(impossible, mine))


def scenario_of(point: Mapping[str, object], base: Scenario, catalogue: Catalogue) -> Scenario:
    return Setup(catalogue=catalogue).scenario(base, point)


def test_a_chosen_machine_brings_its_rate(mine: Catalogue) -> None:
    base = load("ingress-single")
    assert equip({"machine": "fast", "shards": 2}, mine)["bandwidth"]["worker_up"] == "12500000000.0 B/s"
    both = scenario_of({"shard_machine": "fast"}, base, mine)
    assert both.bandwidth is not None
    assert (both.bandwidth.worker_up, both.bandwidth.shard_down) == (1.25e9, 12.5e9)
    with pytest.raises(BadInput, match="slow, fast"):
        equip({"machine": "huge"}, mine)
    with pytest.raises(BadInput, match=r"of the \d+ there the most alike are .*c5n.9xlarge") as caught:
        equip({"machine": "c5n.9xlrge"}, load_catalogue())
    assert len(str(caught.value)) < 250


def test_where_both_share_a_host_one_machine_is_for_both(mine: Catalogue) -> None:
    together = load("ingress-single", workers=4, shards=4, placement="colocated")
    for key in ("machine", "worker_machine", "shard_machine"):
        scenario = scenario_of({key: "fast"}, together, mine)
        assert scenario.bandwidth is not None
        assert {rate for _, rate in scenario.bandwidth} == {12.5e9}
        machines = machines_for(scenario, {key: "fast"}, mine)
        assert machines is not None
        assert machines.worker.name == machines.shard.name == "fast"
    alone = together.replace(placement="single-host")
    assert scenario_of({"machine": "fast"}, alone, mine) == alone


def test_all_hosts_stand_in_one_place() -> None:
    """The cheapest of all 16 Gbit/s types and the cheapest of all of 50 Gbit/s are not of one provider."""
    catalogue = load_catalogue()
    scenario = load("ingress-single", bandwidth={"shard_down": "50Gbps"})
    cheapest = [
        min((m for m in catalogue.machine if m.bandwidth >= rate), key=lambda m: m.price_per_hour)
        for rate in (10e9 / 8, 50e9 / 8)
    ]
    assert len({catalogue.place(machine) for machine in cheapest}) == 2
    machines = machines_for(scenario, {}, catalogue)
    assert machines is not None
    assert catalogue.place(machines.worker) == catalogue.place(machines.shard)
    # A machine that is named says where the others are.
    placement = machines_for(scenario, {"worker_machine": "Standard_D32s_v5"}, catalogue)
    assert placement is not None
    assert catalogue.place(placement.shard) == ("Azure", "eastus")
    with pytest.raises(BadInput, match="stand in two places"):
        equip({"worker_machine": "c5.9xlarge", "shard_machine": "h3-standard-88"}, catalogue)


def test_none_that_is_left_out_is_cheaper_and_as_fast_as_one_that_is_kept() -> None:
    machines = load_catalogue().machine
    front = undominated(machines)
    for m in machines:
        assert any(k.price_per_hour <= m.price_per_hour and k.bandwidth >= m.bandwidth for k in front)
    for one, other in itertools.pairwise(front):
        assert one.price_per_hour < other.price_per_hour
        assert one.bandwidth < other.bandwidth


@pytest.mark.parametrize(
    ("changes", "worker", "shard"),
    [
        ({}, 200, 20),  # a worker: parameters and update; a shard: its tenth and an update of it
        ({"shards_per_host": 10}, 200, 110),
        ({"workers_per_host": 3}, 600, 20),
        ({"shards": 2, "shard_weights": [1, 4]}, 200, 160),
        ({"placement": "colocated"}, 220, 220),
        ({"placement": "single-host", "workers": 2}, 510, 510),
    ],
)
def test_a_host_has_memory_for_what_it_holds(changes: dict[str, object], worker: int, shard: int) -> None:
    scenario = load("ingress-single", **({"model_size": "100GB", "shards": 10} | changes))
    for role, least in (("worker", worker), ("shard", shard)):
        for memory, enough in ((least * 1e9 * (1 - 1e-9), False), (least * 1e9, True)):
            other = {"shard": "worker", "worker": "shard"}[role]
            only = Catalogue.model_validate(
                {"schema_version": 2, "name": "one", "currency": "EUR", "read_on": "2026-01-01",
                 "machine": [{"name": "m", "price_per_hour": 1, "bandwidth": "1Tbps", "memory": memory},
                             {"name": "large", "price_per_hour": 9, "bandwidth": "1Tbps"}]}
            )  # fmt: skip
            point = {f"{other}_machine": "large"} if scenario.placement == "dedicated" else {}
            machines = machines_for(scenario, point, only)
            assert machines is not None
            assert (getattr(machines, role).name == "m") == enough


SHARED = {"worker_machine": "slow", "shard_machine": "fast"}


@pytest.mark.parametrize(
    ("base", "point", "words"),
    [
        ({}, {"machine": "slow", "bandwidth": "50Gbps"}, "bandwidth = 50Gbps with machine = slow"),
        (
            {},
            {"machine": "slow", "bandwidth.shard_up": "5Gbps"},
            "bandwidth.shard_up = 5Gbps with machine = slow",
        ),
        ({}, {"worker_machine": "slow", "bandwidth": "50Gbps"}, "with worker_machine = slow"),
        ({}, {"shard_machine": "slow", "bandwidth": {"shard_up": "50Gbps"}}, "with shard_machine = slow"),
        ({}, {"machine": "slow", "shard_machine": "fast"}, "machine = slow with shard_machine = fast"),
        ({"placement": "colocated"}, SHARED, "worker_machine = slow with shard_machine = fast"),
        ({"placement": "single-host"}, SHARED, "give one machine"),
        ({}, SHARED | {"placement": "single-host"}, "give one machine"),
        ({}, {"machine": "slow", "cores_per_host": 64}, "cores_per_host = 64 with slow, which has 4 cores"),
        ({"cores_per_host": 8}, {"machine": "slow"}, "cores_per_host = 8 with slow"),
        ({}, SHARED | {"cores_per_host": 8}, "cores_per_host = 8 with slow"),
        (
            {"total_cores": 8},
            {"machine": "fast"},
            "total_cores = 8 says that all hosts are parts of one machine",
        ),
        ({"total_cores": 8, "placement": "single-host"}, {"machine": "slow"}, "total_cores = 8 with slow"),
    ],
)
def test_a_machine_that_contradicts_what_is_asked_is_refused(
    mine: Catalogue, base: dict[str, object], point: dict[str, object], words: str
) -> None:
    with pytest.raises(BadInput) as caught:
        scenario_of(point, load("ingress-single", **base), mine)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_machine_of_one_role_leaves_the_other_its_bandwidth(mine: Catalogue) -> None:
    point = {"shard_machine": "fast", "bandwidth.worker_up": "1Gbps"}
    scenario = scenario_of(point, load("ingress-single"), mine)
    assert scenario.bandwidth is not None
    assert (scenario.bandwidth.worker_up, scenario.bandwidth.shard_up) == (1.25e8, 12.5e9)
    assert (
        scenario_of({"machine": "fast", "cores_per_host": 64}, load("ingress-single"), mine).cores_per_host
        == 64
    )


def test_without_a_scenario_the_keys_given_are_what_a_machine_may_contradict(mine: Catalogue) -> None:
    keys = {"workers": 2, "shards": 1, "model_size": "1GB"}
    assert Setup(catalogue=mine).scenario(keys, {"machine": "fast"}).bandwidth is not None
    with pytest.raises(BadInput, match="bandwidth = 1Gbps with machine = fast"):
        Setup(catalogue=mine).scenario(keys | {"bandwidth": "1Gbps"}, {"machine": "fast"})
