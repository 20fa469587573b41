"""Steady states of Markov chains by linear algebra: the truth for formulas of queueing theory."""

from collections.abc import Callable, Iterator

import numpy as np

State = tuple[int, ...]
Moves = Callable[[State], Iterator[tuple[State, float]]]


def stationary(start: State, moves: Moves) -> dict[State, float]:
    """Steady state of a continuous-time Markov chain, by linear algebra over all states reached."""
    states, new = {start: 0}, [start]
    entries = []
    while new:
        state = new.pop()
        for other, rate in moves(state):
            if other not in states:
                states[other] = len(states)
                new.append(other)
            entries.append((states[state], states[other], rate))
    generator = np.zeros((len(states), len(states)))
    for row, column, rate in entries:
        generator[row, column] += rate
        generator[row, row] -= rate
    # One balance equation follows from the others; the sum of the probabilities takes its place.
    generator[:, -1] = 1
    solution = np.linalg.solve(generator.T, np.eye(len(states))[-1])
    return dict(zip(states, solution, strict=True))


def closed_network(
    demands: np.ndarray, populations: list[int], think_times: list[float], servers: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Throughput of each class and mean number present, shape (classes, stations), of a Markov chain.

    Each customer thinks and then visits the stations in turn; a station shares its servers equally.
    """
    classes, stations = demands.shape
    width = stations + 1  # place 0 is thinking

    def leave_rate(state: State, c: int, place: int) -> float:
        here = state[c * width + place]
        if place == 0:
            return float(here / think_times[c])
        total = sum(state[other * width + place] for other in range(classes))
        return float(here and min(total, servers[place - 1]) * here / total / demands[c, place - 1])

    def moves(state: State) -> Iterator[tuple[State, float]]:
        for c in range(classes):
            for place in range(width):
                rate = leave_rate(state, c, place)
                if rate > 0:
                    after = list(state)
                    after[c * width + place] -= 1
                    after[c * width + (place + 1) % width] += 1
                    yield tuple(after), rate

    start = [0] * (classes * width)
    start[::width] = populations
    steady = stationary(tuple(start), moves)
    present = np.zeros((classes, stations))
    throughputs = np.zeros(classes)
    for state, probability in steady.items():
        present += probability * np.reshape(state, (classes, width))[:, 1:]
        throughputs += [probability * leave_rate(state, c, 0) for c in range(classes)]
    return throughputs, present
