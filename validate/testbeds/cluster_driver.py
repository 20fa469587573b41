"""Become a driver of a Ray cluster that somebody else has started, with this very code sent along."""

import logging
import os
import socket

from psmodel.errors import BadInput, CannotRun
from psmodel.wording import excerpt
from validate.testbeds.base import RAY_ENVIRONMENT, hush, own_signals
from validate.testbeds.link_ends import packages

_KNOCK_S = 10.0


def connect(address: str) -> None:
    """Connect this process to the cluster at ``host:port`` (or ``auto``); its token is in the environment.

    Raises
    ------
    BadInput
        If the address is none.
    CannotRun
        If the token is missing, or no cluster answers.
    """
    _knock(address)
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.update(RAY_ENVIRONMENT)
    if os.environ["RAY_AUTH_MODE"] == "token" and not (
        os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    ):
        raise CannotRun(
            "the cluster's token is not known; set RAY_AUTH_TOKEN_PATH (or RAY_AUTH_TOKEN) to it, "
            "or RAY_AUTH_MODE=disabled if the cluster uses none"
        )
    import ray

    hush()
    try:
        with own_signals():
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"py_modules": [str(folder) for folder in packages()]},
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise CannotRun(f"no Ray cluster answers at --address {address}: {reason}") from None


def _knock(address: str) -> None:
    """Ray itself would go on trying for minutes where nobody listens."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536 or "/" in host:
        raise BadInput(
            f"--address {excerpt(address)} is no address of a cluster's head; it is like 10.0.0.1:6379, or auto"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S).close()
    except OSError as error:
        raise CannotRun(
            f"no Ray cluster answers at --address {address}: {(error.strerror or str(error)).lower()}"
        ) from None
