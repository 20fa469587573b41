"""Closed forms of a scenario: exact where workers do alike and only links take time, else estimates and bounds."""

from psmodel.analytic.closed_form import ClosedForm, predict
from psmodel.analytic.grid import predict_grid

__all__ = ["ClosedForm", "predict", "predict_grid"]
