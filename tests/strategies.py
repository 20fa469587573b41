"""Hypothesis strategies that several test modules share."""

from hypothesis import strategies as st

from psmodel.distributions import (
    Deterministic,
    Empirical,
    Exponential,
    Gamma,
    LogNormal,
    Normal,
    Pareto,
    TimeDistribution,
)

times = st.floats(1e-6, 1e3)
"""Times that a step of training may take, s."""

cvs = st.floats(0.01, 5)

continuous_distributions: st.SearchStrategy[TimeDistribution] = st.one_of(
    st.builds(Normal, mean=times, sd=times),
    st.builds(LogNormal, mean=times, cv=cvs),
    st.builds(Exponential, mean=times),
    st.builds(Gamma, mean=times, cv=cvs),
    st.builds(Pareto, minimum=times, shape=st.floats(1.2, 20)),
)

distributions: st.SearchStrategy[TimeDistribution] = st.one_of(
    st.builds(Deterministic, value=st.just(0.0) | times),
    st.builds(Empirical, samples=st.lists(st.just(0.0) | times, min_size=1, max_size=20)),
    continuous_distributions,
)
"""Every kind of distribution of a time."""

populations = st.integers(1, 30)
"""Customers of a closed network."""

think_times = st.just(0.0) | st.floats(1e-3, 100)
