"""The choice of a plan by real runs: predicted beside measured."""

from typing import TYPE_CHECKING

import click

from psmodel.cli.tables import WordsAndNumbers, quantity
from psmodel.whatif.parameter_space import Grid
from psmodel.whatif.targets import COSTS
from psmodel.whatif.verdicts import named, title

if TYPE_CHECKING:
    from psmodel.whatif.finalists import RealChoice, Trial
    from psmodel.whatif.plans import Plan


def show_choice(choice: "RealChoice", answer: "Plan", points: Grid) -> None:
    """Sentences and a table on stdout."""
    click.echo(f"\nMeasured on {choice.testbed}: {_sentence(choice, answer, points)}")
    metrics = dict.fromkeys(
        ["iteration_time_s", *(t.name for t in answer.targets if t.name not in COSTS[:1])]
    )
    table = WordsAndNumbers(
        "finalist",
        "metric",
        "predicted",
        "measured",
        "difference",
        "runs",
        "targets",
        words=["metric", "targets"],
    )
    for trial in choice.trials:
        words = [named(trial.finalist.row, points), str(len(trial.runs)), _decision(trial)]
        for name in metrics:
            predicted, mean = trial.predicted[name], trial.measured.get(name)
            off = measured = "–"
            if mean is not None:
                measured = quantity(name, mean.mean, half_width=mean.half_width if mean.count > 1 else None)
                if predicted and mean.mean:
                    off = f"{100 * (predicted / mean.mean - 1):+.1f} %"
            table.add(words[0], title(name), quantity(name, predicted), measured, off, *words[1:])
            words = ["", "", ""]
    table.show()
    suspect = [run.suspect for trial in choice.trials for run in trial.runs if run.suspect]
    if suspect:
        count = sum(len(trial.runs) for trial in choice.trials)
        click.echo(f"{len(suspect)} of {count} runs are suspect: {suspect[0]}.")


def _decision(trial: "Trial") -> str:
    return trial.decision if trial.runs else "not needed"


def _sentence(choice: "RealChoice", answer: "Plan", points: Grid) -> str:
    undecided = [named(t.finalist.row, points) for t in choice.trials if t.runs and t.decision == "undecided"]
    left = f" Undecided: {' and '.join(undecided)}; --runs allows more." if undecided else ""
    if choice.best is None:
        return f"no finalist {'certainly ' if undecided else ''}meets the targets.{left}"
    choice_words = named(choice.best.finalist.row, points)
    plan_words = None if answer.best is None else named(answer.best, points)
    if choice_words == plan_words:
        return f"{choice_words} meets the targets, as predicted.{left}"
    return (
        f"{choice_words} meets the targets, where {plan_words or 'no configuration'} was predicted to.{left}"
    )
