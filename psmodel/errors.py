"""Failures that a user can do something about: one sentence, and the exit code that goes with it."""


class UserError(Exception):
    """Base of all; the message is one sentence for the user."""

    exit_code = 1


class BadInput(UserError, ValueError):
    """What was asked is not valid: the sentence names the field, the value and what is allowed."""

    exit_code = 2


class CannotRun(UserError):
    """This machine, installation or cluster cannot do it; the sentence says what is missing."""

    exit_code = 3
