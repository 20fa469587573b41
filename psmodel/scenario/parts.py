"""The tables inside a scenario: links, racks, background traffic, stragglers, layers, compression, failures."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from psmodel.distributions.base import PositiveTime, refuse_booleans
from psmodel.records import RecordType
from psmodel.units import Rate, Time, format_rate

MOST_HOSTS = 1_000_000
LEAST_FACTOR, MOST_FACTOR = 1e-6, 1e6
"""Of numbers that multiply a time or divide a rate: with them, no time that a scenario can have overflows."""


class Part(BaseModel, metaclass=RecordType):
    """A table of a scenario, and the scenario itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _numbers(cls, values: Any) -> Any:
        return refuse_booleans(cls, values)


def _link_rate(value: float) -> float:
    if value < 0.125:
        raise ValueError(f"{format_rate(value)} is no rate of a link; it is greater than 0, at least 1 bit/s")
    return value


LinkRate = Annotated[Rate, AfterValidator(_link_rate)]
Factor = Annotated[float, Field(ge=LEAST_FACTOR, le=MOST_FACTOR)]


class Bandwidth(Part):
    """Nominal rate of each direction of each role's network interface, in bytes/s."""

    worker_up: LinkRate
    worker_down: LinkRate
    shard_up: LinkRate
    shard_down: LinkRate


ROLES = tuple(Bandwidth.model_fields)


def one_rate_sets_all(value: object) -> object:
    """A table of all roles' directions where one rate is given for all."""
    one = isinstance(value, str | int | float) and not isinstance(value, bool)
    return dict.fromkeys(ROLES, value) if one else value


class Racks(Part):
    """A network of two levels: host i of either role stands in rack i modulo `count`."""

    count: Annotated[int, Field(ge=1, le=MOST_HOSTS)]
    oversubscription: Annotated[float, Field(ge=1, le=MOST_FACTOR)] = 1.0
    """How many times as much the hosts of a rack can send, or receive, as its link to the other racks."""


class Background(Part):
    """Traffic of others on one link, which shares the link max–min fairly and never ends."""

    link: Annotated[str, Field(pattern=r"^(worker|shard|rack)-(0|[1-9][0-9]{0,6})\.(up|down)$")]
    """As in a trace: ``shard-0.down``, ``worker-3.up``, ``rack-1.up``; numbers count hosts, from 0."""
    rate: LinkRate
    """What it sends where nothing hinders it."""


class SlowLink(Part):
    """One link that carries less than `bandwidth` says, since its host is unlike the others."""

    link: Annotated[str, Field(pattern=r"^(worker|shard)-(0|[1-9][0-9]{0,6})\.(up|down)$")]
    """Whose and which way: ``shard-0.down``, ``worker-3.up``; numbers count hosts, from 0."""
    rate: LinkRate
    """What it carries at most; more than `bandwidth` changes nothing."""


class Stragglers(Part):
    """Every worker is slow now and then, independently of the others.

    Between two episodes lies an exponential time of computing; only while a worker computes does its clock run.
    """

    rate: Annotated[float, Field(ge=1e-12, le=1e9)]
    """Episodes per second of computing at full speed."""
    slowdown: Annotated[float, Field(gt=1, le=MOST_FACTOR)]
    """How many times as long as at full speed computing takes in an episode."""
    duration: PositiveTime
    """How long an episode lasts."""

    @property
    def stretch(self) -> float:
        """In the long run, mean compute time over that without them: (1/rate + d) / (1/rate + d/slowdown)."""
        gap = 1 / self.rate
        return (gap + self.duration) / (gap + self.duration / self.slowdown)


class Layer(Part):
    """A layer of the model, in the order of the forward pass; every shard holds its part of each."""

    share: Annotated[float, Field(gt=0, le=1)]
    """Of the parameters; the shares of all layers add up to 1."""
    compute_share: Annotated[float, Field(ge=0, le=1)]
    """Of the compute time, spent on this layer's gradient; what the layers leave is the forward pass, before."""


class Compression(Part):
    """What a worker pushes is compressed; pulls are not."""

    ratio: Annotated[float, Field(ge=1, le=MOST_FACTOR)]
    """Bytes of an update over bytes pushed."""
    compress_time: Time = 0.0
    """CPU time that compressing one whole update takes a worker."""
    decompress_time: Time = 0.0
    """CPU time that decompressing one whole update takes all shards together, each by its share."""


class Failure(Part):
    """Workers and shards that die and come back.

    Each is a process of its own: of several on one host the others go on, with the whole of its links and cores.
    What it was sending its host goes on sending. While a shard is away calls to it wait. A push that was on its way to
    it is sent anew once it is back, and it begins the call anew that it was working on. Besides its repair it has to
    redo what has been done since its last checkpoint, or loses it. A worker that dies before its first push of an
    iteration begins the iteration again once it is back, with a new pull; later it goes on where it was. What it has
    prefetched is gone.
    """

    role: Literal["worker", "shard"]
    index: Annotated[int, Field(ge=0, lt=MOST_HOSTS)] | None = None
    """Which worker or shard; none given: each of them, independently."""
    at: Time | None = None
    """When it dies, once; give this or `mean_time_between`."""
    mean_time_between: PositiveTime | None = None
    """Mean of the exponential time from one return to the next death."""
    repair_time: Time = 0.0
    """From the death until it is started anew; the start takes `restart_s` of a fit on top, and no time without one."""
    checkpoint_interval: PositiveTime | None = None
    """Shards: time between two checkpoints, the first at 0; none given: nothing is lost."""
    since_checkpoint: Literal["redone", "lost"] = "redone"
    """Shards: what becomes of the updates since the last checkpoint. To redo them takes as long as it took; lost ones
    take no time, and are missing from the parameters: so it is in a real run."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.at is None) == (self.mean_time_between is None):
            raise ValueError("give exactly one of at and mean_time_between")
        if self.role == "worker" and self.checkpoint_interval is not None:
            raise ValueError(
                f'checkpoint_interval = {self.checkpoint_interval:g} s with role = "worker"; only shards have one'
            )
        if self.since_checkpoint == "lost" and self.checkpoint_interval is None:
            raise ValueError(
                'since_checkpoint = "lost" without checkpoint_interval; give the time between two'
            )
        return self
