"""The one table of parameters is the released checkpoint, file by file."""

import json
import math
from pathlib import Path

import pytest

from grok_app.errors import CheckpointError, SettingsError
from grok_app.model.config import GROK_1, GrokConfig
from grok_app.model.parameters import count, count_active, file_order
from grok_app.model.sharding import make_mesh, shard_of


def test_the_table_is_the_released_checkpoint(data: Path) -> None:
    released = json.loads((data / "grok-1-checkpoint.json").read_text())
    order = file_order(GROK_1)
    assert len(order) == len(released["tensors"]) == 770
    for (parameter, layer), tensor in zip(order, released["tensors"], strict=True):
        assert "/".join(parameter.path(layer)) == tensor["name"]
        assert list(parameter.shape) == tensor["shape"]
        assert parameter.nbytes == tensor["bytes"]
        if "scales_shape" in tensor:
            assert list(parameter.scales_shape) == tensor["scales_shape"]
    assert count(GROK_1) == released["parameters"]
    assert sum(p.nbytes for p, _ in order) == released["array_bytes"]


def test_a_token_uses_two_experts_of_eight() -> None:
    idle = 64 * 6 * 3 * 6144 * 32768
    assert count_active(GROK_1) == count(GROK_1) - idle


def test_config_goes_through_json_and_back(mini: Path) -> None:
    config = GrokConfig.from_dict(json.loads((mini / "config.json").read_text()))
    assert (config.num_layers, config.ffn_size, config.key_size) == (3, 688, 8)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"num_layers": "3"}, "num_layers is '3'"),
        ({"num_layers": True}, "num_layers is True"),
        ({"emb_size": 0}, "emb_size is 0"),
        ({"output_multiplier_scale": math.nan}, "output_multiplier_scale is nan"),
        ({"num_q_heads": 12}, "num_q_heads 12 is not a multiple of num_kv_heads 8"),
        ({"num_selected_experts": 9}, "num_selected_experts 9 is more than num_experts 8"),
        ({"eos_token": 512}, "eos_token 512 is outside"),
        ({"attention": "flash"}, "unknown keys attention"),
    ],
)
def test_a_config_that_makes_no_model_is_refused(mini: Path, change, words) -> None:
    values = json.loads((mini / "config.json").read_text()) | change
    with pytest.raises(CheckpointError, match=words):
        GrokConfig.from_dict(values)


def test_a_config_names_what_it_lacks(mini: Path) -> None:
    values = json.loads((mini / "config.json").read_text())
    del values["key_size"]
    with pytest.raises(CheckpointError, match="missing keys key_size"):
        GrokConfig.from_dict(values)


@pytest.mark.parametrize("devices", [1, 2, 4, 8, 16])
def test_grok_1_divides_over(devices: int) -> None:
    shard = shard_of(GROK_1, devices)
    assert shard.query_heads * devices == GROK_1.num_q_heads
    assert shard.kv_heads == max(1, GROK_1.num_kv_heads // devices)


def test_a_mesh_that_does_not_divide_the_model_says_what_would() -> None:
    with pytest.raises(SettingsError, match="model axes that do: 1, 2, 4, 8, 16"):
        shard_of(GROK_1, 5)


def test_a_mesh_that_does_not_fit_the_devices_says_what_would() -> None:
    with pytest.raises(SettingsError, match=r"needs 21 devices .* has 8; .* 1,8, 2,4, 4,2, 8,1"):
        make_mesh((3, 7))
