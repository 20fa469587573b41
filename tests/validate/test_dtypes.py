"""Types of parameters that NumPy does not have, as the real run computes with them and passes them on."""

import pickle

import numpy as np
import pytest

from psmodel.scenario import load
from validate.actors.dtypes import dtype_of, epsilon, lent
from validate.actors.shard import ParameterServerShard

NAMES = ("float64", "float32", "float16", "bfloat16")


@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_has_as_many_bytes_as_the_scenario_says(name: str) -> None:
    scenario = load("tutorial-single", elements=1000, dtype=name)
    array = np.zeros(1000, dtype_of(name))
    assert scenario.total_bytes == array.nbytes
    assert [part.nbytes for part in np.array_split(array, 3)] == list(scenario.replace(shards=3).shard_sizes)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_lent_is_not_copied(name: str) -> None:
    array = np.ones(10**5, dtype_of(name))
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(lent(array), protocol=5, buffer_callback=buffers.append)
    assert len(pickled) < 1000
    assert [buffer.raw().nbytes for buffer in buffers] == [array.nbytes]
    there = pickle.loads(pickled, buffers=buffers).view(dtype_of(name))
    assert there.dtype == array.dtype
    assert np.shares_memory(there, array)


@pytest.mark.parametrize("name", NAMES)
def test_a_shard_adds_in_its_own_type(name: str) -> None:
    shard = ParameterServerShard(10, name)
    for value, part in ((1.0, 10), (2.0, 4)):  # the second one is compressed
        shard.update_parameters(lent(np.full(part, value, dtype_of(name))), 0, 0, 0)
    version, parameters = shard.get_parameters()
    assert version == 2
    assert parameters.view(dtype_of(name)).astype(float).tolist() == [3.0] * 10
    assert shard.observe() == {"version": 2, "first": 3.0, "last": 3.0}


def test_brain_floats_have_eight_bits() -> None:
    one = dtype_of("bfloat16").type(1)
    assert epsilon(dtype_of("bfloat16")) == 2**-7
    assert float(dtype_of("bfloat16").type(256) + one) == 256
    assert epsilon(dtype_of("float64")) == np.finfo(float).eps
