"""What presets cost, against the limits that were set for them."""

import json

import pytest
import torch
import typer
from typer.testing import CliRunner

from hashformer.cli.profile import profile
from hashformer.config import load_config, preset_names
from hashformer.losses import Objective
from hashformer.model import HashFormer
from hashformer.profiling import ALL_LOSSES, example_batch, profile_config


def test_every_preset_runs():
    assert preset_names() == ["base", "small", "tiny"]
    for name in preset_names():
        config = load_config(name)
        with torch.inference_mode():
            output = HashFormer(config.model).eval()(example_batch(config, 1))
        assert all(valid.all() for valid in output.valid.values())


def test_base_stays_within_45_gflop_and_400_mb():
    cost = profile_config(load_config("base"), name="base", repeats=1)
    assert cost.gflops_per_clip <= 45
    assert cost.peak_memory_mb is None or cost.peak_memory_mb < 400
    assert sum(part.gflops_per_clip for part in cost.parts.values()) == pytest.approx(cost.gflops_per_clip, rel=1e-6)
    assert sum(part.parameters for part in cost.parts.values()) == cost.parameters


def test_small_stays_within_10_gflop():
    assert profile_config(load_config("small"), name="small", repeats=1, memory=False).gflops_per_clip <= 10


def test_operations_of_base_are_those_counted_by_hand():
    """Projections, feed-forward and attention of 880 stream tokens and 48 fusion tokens, 6 layers, and the patches."""
    tokens, fusion, width, inner, heads = {"audio": 80, "video": 784, "landmarks": 16}, 48, 512, 1365, 256
    every = sum(tokens.values()) + fusion
    layer = every * (4 * width * heads + 3 * width * inner)
    layer += 2 * heads * (sum(n * n for n in tokens.values()) + fusion * every)
    patches = 784 * 3072 * width + 80 * 160 * width + 16 * 956 * width
    cost = profile_config(load_config("base"), name="base", repeats=1, memory=False)
    assert cost.parts["encoder"].gflops_per_clip == pytest.approx(2 * 6 * layer / 1e9, rel=1e-6)
    assert cost.parts["tokenizers"].gflops_per_clip == pytest.approx(2 * patches / 1e9, rel=1e-6)


def test_profile_prints_json_with_every_part():
    app = typer.Typer()
    app.command()(profile)
    result = CliRunner().invoke(app, ["tiny", "--json", "--repeats", "1"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    keys = {"parameters", "gflops_per_clip", "latency_ms", "peak_memory_mb", "parts"}
    assert keys <= told.keys()
    assert keys <= told["training"].keys()
    assert told["parameters"] == sum(p.numel() for p in HashFormer(load_config("tiny").model).parameters())
    assert {"tokenizers", "encoder", "pool", "heads", "hash_head"} == told["parts"].keys()
    assert {"decoders", "predictors", "model.encoder"} <= told["training"]["parts"].keys()


def test_profile_prints_a_table():
    app = typer.Typer()
    app.command()(profile)
    result = CliRunner().invoke(app, ["tiny", "--no-training", "--repeats", "1"])
    assert "encoder" in result.stdout


def test_inference_holds_no_part_of_training():
    plain = HashFormer(load_config("tiny").model)
    trained = Objective(HashFormer(load_config("tiny").model), ALL_LOSSES)
    assert sum(p.numel() for p in plain.parameters()) < sum(p.numel() for p in trained.parameters())
