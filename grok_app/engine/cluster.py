"""Several processes, on one machine or several, that serve one model together.

JAX's distributed runtime makes their devices one mesh. Process 0 serves and decides; each
program that it runs, the others run with it, with the same host arrays.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import jax
from jax._src import distributed

from grok_app.engine.channel import JOINING, SECRET_BYTES, Follower, Leader
from grok_app.errors import SettingsError

_SECRET = "grok_app/channel"


@dataclass(frozen=True)
class Cluster:
    """Who takes part.

    Attributes:
        coordinator: HOST:PORT of process 0, which listens there and at the port after it.
        processes: how many there are.
        process_id: which one this is, from 0.
    """

    coordinator: str
    processes: int
    process_id: int

    def join(self) -> Leader | Follower:
        """Waits for all the others; this process's end of the channel between them.

        Raises:
            SettingsError: the address or the numbers make no sense, or the others do not come.
        """
        host, _, port = self.coordinator.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65535:
            raise SettingsError(
                f"coordinator is {self.coordinator!r}; expected HOST:PORT of process 0, with a "
                "port below 65535, for the next one is used too"
            )
        if not 0 <= self.process_id < self.processes:
            raise SettingsError(
                f"process {self.process_id} of {self.processes}: expected 0 to {self.processes - 1}"
            )
        address = host.strip("[]"), int(port) + 1
        try:
            leader = Leader(address) if self.process_id == 0 else None
            jax.distributed.initialize(
                self.coordinator,
                self.processes,
                self.process_id,
                coordinator_bind_address=self.coordinator,
                cluster_detection_method="deactivate",
            )
            secret = _shared_secret(make=leader is not None)
            if leader is None:
                return Follower(address, self.process_id, secret)
            leader.gather(self.processes - 1, secret)
        except (OSError, RuntimeError, UnicodeError) as error:  # the last: no name of a host
            raise SettingsError(
                f"process {self.process_id} cannot meet the others at {self.coordinator} and port "
                f"{address[1]}: {error}"
            ) from error
        return leader


def _shared_secret(make: bool) -> bytes:
    """A number that process 0 draws and leaves where only the others look: the key-value store
    of JAX's runtime, for which JAX has no public name."""
    store: Any = distributed.global_state.client
    if make:
        secret = secrets.token_bytes(SECRET_BYTES)
        store.key_value_set_bytes(_SECRET, secret)
        return secret
    return store.blocking_key_value_get_bytes(_SECRET, round(JOINING * 1000))
