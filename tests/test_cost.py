"""Cost: prices times hosts, from a catalogue that says where its figures come from."""

from pathlib import Path

import pytest

from psmodel.cost import Catalogue, cost, equip, load_catalogue, machines_for, no_machine
from psmodel.errors import BadInput
from psmodel.scenario import load
from psmodel.space import resolve

GOOD = """schema_version = 1
name = "mine"
currency = "EUR"
read_on = 2026-01-31
[[machine]]
name = "slow"
price_per_hour = 1.0
bandwidth = "10Gbps"
cores = 4
[[machine]]
name = "fast"
price_per_hour = 3.0
bandwidth = "100Gbps"
cores = 64
"""


@pytest.fixture
def mine(tmp_path: Path) -> Catalogue:
    (tmp_path / "mine.toml").write_text(GOOD)
    return load_catalogue(tmp_path / "mine.toml")


def test_the_packaged_catalogue_says_date_and_origin() -> None:
    catalogue = load_catalogue()
    assert catalogue.currency == "USD"
    assert catalogue.read_on.year >= 2026
    assert all("http" in machine.origin for machine in catalogue.machine)
    rates = {machine.name: machine.bandwidth * 8 / 1e9 for machine in catalogue.machine}
    assert rates == {"c5.9xlarge": 10, "c5.18xlarge": 25, "c5n.9xlarge": 50, "c5n.18xlarge": 100}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("schema_version = 1", "schema_version = 2", "schema_version"),
        ("price_per_hour = 1.0", "price_per_hour = -1", "price_per_hour"),
        ('bandwidth = "10Gbps"', 'bandwidth = "10 parsec"', "parsec"),
        ('name = "fast"', 'name = "slow"', "'slow' is listed twice"),
        ("cores = 4", "core = 4", "core"),
        ("currency", "money", "currency"),
        ("[[machine]]", "[[", "mine.toml"),
    ],
)
def test_a_bad_catalogue_is_one_sentence(tmp_path: Path, old: str, new: str, words: str) -> None:
    (tmp_path / "mine.toml").write_text(GOOD.replace(old, new, 1) if old != "[[machine]]" else "[[")
    with pytest.raises(BadInput, match=words) as caught:
        load_catalogue(tmp_path / "mine.toml")
    assert "\n" not in str(caught.value)
    with pytest.raises(BadInput, match=r"absent\.toml"):
        load_catalogue(tmp_path / "absent.toml")


def test_hosts_are_counted_by_placement(mine: Catalogue) -> None:
    base = load("ingress-single", workers=10, shards=4)
    for placement, hosts in (("dedicated", 14), ("colocated", 10), ("single-host", 1)):
        scenario = base.replace(placement=placement)
        machines = machines_for(scenario, {}, mine)
        assert machines is not None
        assert machines.worker.name == machines.shard.name == "slow"
        price = cost(scenario, machines, 0.36, mine.currency)
        assert price.per_hour == pytest.approx(hosts)
        assert price.per_1000_iterations == pytest.approx(hosts * 0.1)


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


def test_a_chosen_machine_brings_its_rate(mine: Catalogue) -> None:
    base = load("ingress-single")
    assert equip({"machine": "fast", "shards": 2}, mine)["bandwidth"]["worker_up"] == "12500000000.0 B/s"
    both = resolve(base, equip({"shard_machine": "fast"}, mine))
    assert both.bandwidth is not None
    assert (both.bandwidth.worker_up, both.bandwidth.shard_down) == (1.25e9, 12.5e9)
    with pytest.raises(BadInput, match="slow, fast"):
        equip({"machine": "huge"}, mine)
