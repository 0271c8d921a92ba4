"""Several processes, on one machine or several, that serve one model together.

JAX's distributed runtime makes their devices one mesh. Process 0 serves and decides; each
program that it runs, the others run with it, with the same host arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax

from grok_app.engine.channel import Follower, Leader
from grok_app.errors import SettingsError


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
            if leader is None:
                return Follower(address, self.process_id)
            leader.gather(self.processes - 1)
        except (OSError, RuntimeError) as error:
            raise SettingsError(
                f"process {self.process_id} cannot meet the others at {self.coordinator} and port "
                f"{address[1]}: {error}"
            ) from error
        return leader
