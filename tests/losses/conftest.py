"""What tests of the network share."""

import pytest
import torch

from hashformer.config import load_config
from hashformer.model import HashFormer
from model_batches import make_batch


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny_config():
    return load_config("tiny").model


@pytest.fixture(scope="session")
def tiny(tiny_config):
    torch.manual_seed(0)
    return HashFormer(tiny_config).eval().requires_grad_(False)


@pytest.fixture
def batch():
    return make_batch(3, seed=1)
