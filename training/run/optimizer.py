"""AdamW with a learning rate that warms up, holds, and decays to zero over the last part."""

from __future__ import annotations

import jax
import optax

PEAK = 2.5e-3  # of a run that begins with random weights
WARMUP_STEPS = 200
WEIGHT_DECAY = 0.3  # thrice the usual: what is read many times is less learnt by heart (2509.14786)
DECAY_PART = 0.6  # the last part of the budget, over which the rate falls to zero


def optimizer() -> optax.GradientTransformationExtraArgs:
    """AdamW on clipped gradients; the learning rate is a hyperparameter set before each step.

    Norm scales, the only vectors, are not decayed.
    """

    def adamw(learning_rate: float) -> optax.GradientTransformation:
        return optax.chain(
            optax.clip_by_global_norm(1.0),
            optax.adamw(
                learning_rate,
                b2=0.95,
                weight_decay=WEIGHT_DECAY,
                mask=lambda params: jax.tree.map(lambda p: p.ndim > 1, params),
            ),
        )

    return optax.inject_hyperparams(adamw)(learning_rate=0.0)


def learning_rate(step: int, progress: float, peak: float = PEAK) -> float:
    """The rate at a step, when the share `progress` of the budget is spent.

    Holding a constant rate until the end is decided (warmup-stable-decay, arXiv 2404.06395) lets
    a run be prolonged from its state before the decay.
    """
    warmup = min(1.0, (step + 1) / WARMUP_STEPS)
    decay = min(1.0, max(0.0, (1.0 - progress) / DECAY_PART))
    return peak * warmup * decay
