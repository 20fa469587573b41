"""What a survey of a cluster's hosts has seen: streams between them, and what a fixed work and a call took on each."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A TCP stream from one host to another while every host sent one and received one.

    Attributes
    ----------
    round
        Streams of one round ran at the same time.
    rate
        Payload, in bytes/s.
    """

    round: int
    sender: str
    receiver: str
    rate: float


@dataclass(frozen=True, kw_only=True)
class HostSurvey:
    """Samples in the order in which they were taken.

    Attributes
    ----------
    cpu, calls
        Host → seconds that a fixed piece of work took there, and that a call of a method there took.
    seconds
        How long all of it took.
    """

    hosts: tuple[str, ...]
    flows: tuple[Flow, ...]
    cpu: Mapping[str, tuple[float, ...]]
    calls: Mapping[str, tuple[float, ...]]
    seconds: float

    def followed_by(self, later: "HostSurvey") -> "HostSurvey":
        """Both as one, with the later one's rounds after this one's."""
        rounds = 1 + max((flow.round for flow in self.flows), default=-1)
        moved = tuple(
            Flow(round=f.round + rounds, sender=f.sender, receiver=f.receiver, rate=f.rate)
            for f in later.flows
        )
        return HostSurvey(
            hosts=self.hosts,
            flows=self.flows + moved,
            cpu={h: (*self.cpu.get(h, ()), *later.cpu.get(h, ())) for h in self.hosts},
            calls={h: (*self.calls.get(h, ()), *later.calls.get(h, ())) for h in self.hosts},
            seconds=self.seconds + later.seconds,
        )
