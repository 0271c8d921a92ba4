"""What is said of the weights is so."""

from pathlib import Path

import numpy as np
import pytest

from grok_app.checkpoint.folder import open_checkpoint
from grok_app.checkpoint.statistics import counts, statistics
from grok_app.checkpoint.stored import StoredWeight
from grok_app.model.config import GROK_1
from grok_app.model.parameters import count


def real(stored: StoredWeight) -> np.ndarray:
    """The real-valued matrices of a quantized weight."""
    *leading, rows, columns = stored.weight.shape
    groups = stored.scales.shape[-2]
    grouped = stored.weight.reshape(*leading, groups, rows // groups, columns).astype(np.float64)
    scaled = grouped * stored.scales[..., None, :].astype(np.float64)
    return scaled.reshape(stored.weight.shape)


def test_norms_and_scales_are_those_of_the_real_values(mini: Path) -> None:
    checkpoint = open_checkpoint(mini)
    for (parameter, _), found in zip(checkpoint.tensors, statistics(checkpoint), strict=True):
        content = found.tensor.view()
        if isinstance(content, StoredWeight):
            matrix = real(content)
            expected = np.linalg.norm(matrix.reshape(*matrix.shape[:-2], -1), axis=-1)
            assert found.scales is not None
            assert found.scales.low == float(content.scales.min())
            assert found.scales.high == float(content.scales.max())
        else:
            assert found.scales is None
            axis = 0 if "router" in parameter.module else None
            expected = np.linalg.norm(content, axis=axis)
        np.testing.assert_allclose(found.norms, np.atleast_1d(expected), rtol=1e-5)


def test_a_single_layer(mini: Path) -> None:
    found = list(statistics(open_checkpoint(mini), layer=1))
    assert len(found) == 12
    assert all("decoder_layer_1/" in one.name for one in found)
    experts = [one for one in found if "/moe/" in one.name]
    assert [len(one.norms) for one in experts] == [8, 8, 8]


def test_the_kinds_of_parameters_add_up() -> None:
    found = counts(GROK_1)
    assert sum(found.values()) == count(GROK_1)
    assert found["experts"] == pytest.approx(0.98 * count(GROK_1), rel=0.01)
    assert found["embeddings"] == 131072 * 6144
