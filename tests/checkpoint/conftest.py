"""Checkpoints that the tests of this folder share."""

from pathlib import Path

import pytest

from bench.sparse import write_sparse
from grok_app.model.config import GROK_1


@pytest.fixture(scope="session")
def grok_1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 770 files of Grok-1, to the byte, but for the numbers in them: holes on the disk."""
    folder = tmp_path_factory.mktemp("grok-1") / "model"
    write_sparse(folder, GROK_1)
    return folder
