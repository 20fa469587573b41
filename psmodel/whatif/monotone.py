"""Which configurations cannot be better than another one: those with less of what can only help.

For these targets more of these helps, or does no harm, all else being equal:

more bandwidth, and more shards, in step
    Proved for workers that pull at once and push at once, on hosts of their own, where only links and computing take
    time. All pull at the same rate, so that all begin to compute together, sooner where there is more of either. From
    there on those that push share min(worker's link, K · shard's link / n) each, which falls with their number n and
    rises with links and K. Such a network is monotone (Bonald & Proutière 2004): in the faster one each push, begun
    after the same compute time, has sent at least as much at every instant. So every push ends no later, and with the
    last of them the iteration. Times are drawn for each worker whatever the links are.
more bandwidth, and more shards, out of step with random times
    Not proved (who waits less may meet others at a worse moment); a property test finds no case in which a mean is
    worse by more than its error (``tests/whatif/test_monotone.py``). Without chance there are such cases, so that
    there nothing is concluded.

References
----------
Bonald & Proutière 2004, "On performance bounds for balanced fairness", Performance Evaluation 55(1–2):25.
"""

from collections.abc import Sequence

from psmodel.calibration import IDEAL, Calibration
from psmodel.scenario import Scenario
from psmodel.scenario.features import features_of
from psmodel.whatif.candidates import Candidate
from psmodel.whatif.targets import Target

_HELPED = {
    "iteration_time_s": True,
    "communication_share": True,
    "updates_per_s": False,
    "goodput_bytes_per_s": False,
}
"""Metrics that can only become better, and whether to be at most something is what they are asked for."""
_FEATURES = {"compute", "compute_factors", "mode", "staleness_bound"}
_MORE = ("shards", "bandwidth")


def allows(scenario: Scenario, calibration: Calibration, targets: Sequence[Target]) -> bool:
    """Whether more shards and more bandwidth can only help to meet these targets, or do no harm."""
    others = [target for target in targets if target.name != "cost_per_hour"]
    return (
        calibration == IDEAL
        and scenario.placement == "dedicated"
        and (scenario.pull, scenario.push) == ("parallel", "blocking")
        and (scenario.mode == "bsp" or scenario.compute.is_random)
        and {feature.field for feature in features_of(scenario)} <= _FEATURES
        and all(_HELPED.get(target.name) == target.at_most for target in others)
    )


def no_better(
    than: Candidate, among: Sequence[Candidate], calibration: Calibration, targets: Sequence[Target]
) -> list[Candidate]:
    """Those that have no more of anything, and differ in nothing else."""
    if not allows(than.scenario, calibration, targets):
        return []
    return [other for other in among if _has_no_more(other.scenario, than.scenario)]


def _has_no_more(less: Scenario, more: Scenario) -> bool:
    if less.shards > more.shards or less.bandwidth is None or more.bandwidth is None:
        return False
    rates = dict(more.bandwidth)
    if any(rate > rates[name] * (1 + 1e-12) for name, rate in less.bandwidth):
        return False
    same = {key: getattr(more, key) for key in _MORE}
    return less.model_copy(update=same) == more
