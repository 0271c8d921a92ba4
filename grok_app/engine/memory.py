"""What XLA's out-of-memory error means, in the words of the plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax

from grok_app.checkpoint.plan import MemoryPlan
from grok_app.errors import SettingsError


def out_of_memory(error: Exception, plan: MemoryPlan) -> str:
    """What to say of an error that XLA raised for want of memory; "" of any other."""
    if not isinstance(error, jax.errors.JaxRuntimeError) or "RESOURCE_EXHAUSTED" not in str(error):
        return ""
    return (
        f"a device has run out of memory ({str(error).splitlines()[0]}); the plan was: "
        f"{'; '.join(plan.reasons)}; end what else uses the device, or take fewer --slots or "
        "--saved, a shorter --context, or more devices"
    )


@contextmanager
def explained(plan: MemoryPlan) -> Iterator[None]:
    """Raises SettingsError where the devices run out of memory within."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if words := out_of_memory(error, plan):
            raise SettingsError(words) from error
        raise
