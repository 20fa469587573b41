"""The keys of a scenario: what each means, which values it may have, and what it is where none is given."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from psmodel.distributions import Deterministic, Distribution
from psmodel.scenario.counts import COUNT_SCHEMA, MOST_ELEMENTS, parse_count
from psmodel.scenario.parts import (
    MOST_HOSTS,
    Background,
    Bandwidth,
    Compression,
    Factor,
    Failure,
    Layer,
    LinkRate,
    Part,
    Racks,
    SlowLink,
    Stragglers,
    one_rate_sets_all,
)
from psmodel.units import Size, Time
from psmodel.wording import excerpt

MOST_ITERATIONS = 10**9


def _printable(value: str) -> str:
    if not value.replace("\n", " ").isprintable():
        raise ValueError(f"{excerpt(value)} holds control characters; it is plain text")
    return value


class Keys(Part):
    """Every key of a scenario, in the order in which a file has them."""

    schema_version: Literal[1] = 1
    """Version of this format."""
    name: Annotated[str, Field(max_length=200, pattern=r"^[^\n]*$"), AfterValidator(_printable)] = "unnamed"
    """What tables and figures call it."""
    description: Annotated[str, Field(max_length=2000), AfterValidator(_printable)] = ""
    """A sentence for the reader."""

    workers: Annotated[int, Field(ge=1, le=MOST_HOSTS)]
    """Number of workers, N."""
    shards: Annotated[int, Field(ge=1, le=MOST_HOSTS)]
    """Number of shards, K: every one is an actor with its own network interface unless `placement` says else."""
    model_size: Size | None = None
    """Bytes of the trained parameters, M; give this or `elements`."""
    elements: (
        Annotated[
            int, Field(ge=1, le=MOST_ELEMENTS), BeforeValidator(parse_count), WithJsonSchema(COUNT_SCHEMA)
        ]
        | None
    ) = None
    """Number of trained parameters; give this or `model_size`."""
    dtype: Literal["float64", "float32", "float16", "bfloat16"] = "float64"
    """Type of one parameter."""
    shard_weights: tuple[Annotated[float, Field(ge=0, le=1e12)], ...] | None = None
    """How the model is spread over the shards, one number per shard in any unit; none given: evenly. A shard of
    weight 0 holds nothing and is never called."""

    bandwidth: Annotated[
        Bandwidth | None,
        BeforeValidator(one_rate_sets_all, json_schema_input_type=Bandwidth | LinkRate | None),
    ] = None
    """One number for all links, or a table with `worker_up`, `worker_down`, `shard_up`, `shard_down`; only a
    single host does without."""
    mtu: Annotated[int, Field(ge=576, le=65_535)] | None = None
    """IP packet size in bytes; if given, header overhead is taken off the bandwidth."""
    frame_overhead: Annotated[int, Field(ge=0, le=200)] = 38
    """Bytes a link adds to each IP packet: 38 on Ethernet's wire; 14 where a Linux qdisc counts."""
    propagation_delay: Time = 0.0
    """One-way delay of the network."""
    message_overhead: Time = 0.0
    """Time that sending one message keeps its sender busy, whatever the size."""

    placement: Literal["dedicated", "colocated", "single-host"] = "dedicated"
    """A host for each worker and shard; worker i and shard i on one host; or all on one host (no network)."""
    shards_per_host: Annotated[int, Field(ge=1, le=MOST_HOSTS)] = 1
    """Shards that share one dedicated host with its interface and cores: 0 to s − 1 on the first, and so on."""
    workers_per_host: Annotated[int, Field(ge=1, le=MOST_HOSTS)] = 1
    """Workers that share one dedicated host in the same way; `worker_up` and `worker_down` are the host's."""
    racks: Racks | None = None
    """Racks of dedicated hosts; none given: the core of the network limits nothing."""
    slow_links: tuple[SlowLink, ...] = ()
    """Links of single hosts that carry less than `bandwidth`, where hosts are unlike each other."""
    background: tuple[Background, ...] = ()
    """Traffic of others on single links."""
    cores_per_host: Annotated[int, Field(ge=1, le=MOST_HOSTS)] | None = None
    """Cores that the processes of one host share, for calls and computing; none given: they never wait for a core."""
    total_cores: Annotated[int, Field(ge=1, le=10**9)] | None = None
    """Cores that all hosts share, where they are parts of one machine, as in a testbed of namespaces."""

    compute: Distribution = Deterministic(value=0.0)
    """Compute time of one worker in one iteration."""
    compute_on: Literal["cpu", "accelerator"] | None = None
    """Whether computing keeps one core of the worker's host busy, or something else while the host's cores are free
    (a real worker then sleeps); none given: a core in the model, while a real run sleeps unless told to burn it."""
    compute_factors: tuple[Factor, ...] | None = None
    """How many times as long as that each worker computes, one number per worker; none given: all alike."""
    stragglers: Stragglers | None = None
    """Episodes in which a worker computes slowly."""
    layers: tuple[Layer, ...] = ()
    """Each layer is pushed once its gradient is there, from the last to the first; none given: all at the end."""
    compression: Compression | None = None
    """Compression of what is pushed."""
    update_cost: Distribution = Deterministic(value=0.0)
    """Time a shard needs to apply one worker's update, on top of what the calibration says."""
    update_rule: Literal["ones", "affine"] = "ones"
    """What a real worker pushes: ones, or 1e-3·parameters + 1 as in the Ray tutorial."""

    mode: Literal["bsp", "asp", "ssp"] = "bsp"
    """Bulk-synchronous (barrier), asynchronous, or stale-synchronous."""
    staleness_bound: Annotated[int, Field(ge=0, le=MOST_ITERATIONS)] | None = None
    """SSP: how many iterations a worker may be ahead of the slowest."""
    backup_workers: Annotated[int, Field(ge=0, lt=MOST_HOSTS)] = 0
    """BSP: how many of the workers an iteration does not wait for; it takes the first N − b updates, and who is
    late goes on with the iteration that is then under way."""
    pull: Literal["parallel", "sequential", "none"] = "parallel"
    """Ask all shards at once, one after the other, or not at all."""
    prefetch: bool = False
    """Ask for the next iteration's parameters when computing starts, so that pull and compute overlap; they lack
    what is pushed meanwhile."""
    push: Literal["blocking", "sequential", "fire-and-forget", "none"] = "blocking"
    """Push to all shards and wait; one after the other, waiting for each; without waiting; or not at all."""
    max_in_flight_pushes: Annotated[int, Field(ge=1, le=MOST_ITERATIONS)] | None = None
    """Fire-and-forget: how many iterations' pushes of one worker may be unfinished (back-pressure)."""

    failures: tuple[Failure, ...] = ()
    """Workers and shards that die and come back."""

    iterations: Annotated[int, Field(ge=1)] | None = None
    """Measured iterations of a finite run, as a real run has them; none given: the answer is the steady state."""
    warmup: Annotated[int, Field(ge=0)] | None = None
    """Iterations before them, kept apart; 0 where `iterations` is given alone. In the steady state the warm-up is
    found."""
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    """Seed of all random numbers."""
