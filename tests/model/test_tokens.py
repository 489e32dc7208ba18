"""Patches, presence of tokens, and what may not leak between them."""

from dataclasses import replace

import pytest
import torch

from hashformer.config import ModelConfig, load_config
from hashformer.model import HashFormer
from hashformer.model.inputs import read_streams, stream_specs
from hashformer.model.masking import sample_mask
from hashformer.model.tokens import Tokenizer, fine_detail, from_mean, patch_present, patch_times, patches
from model_batches import make_batch
from reference import patches as slow

TINY = load_config("tiny").model


def test_patches_equal_the_loop():
    values = torch.randn(2, 4, 3, 6, 4)
    cut = patches(values, (2, 3, 2))
    for b in range(2):
        torch.testing.assert_close(cut[b], torch.tensor(slow.patches(values[b], (2, 3, 2))))


def test_tokens_of_one_instant_share_their_time():
    specs = stream_specs(ModelConfig())
    times = {
        name: patch_times({"audio": 100, "video": 16, "landmarks": 16}[name], spec) for name, spec in specs.items()
    }
    assert times["video"].unique().tolist() == pytest.approx([0.125, 0.375, 0.625, 0.875])
    assert times["audio"].unique().tolist() == pytest.approx([0.05 + 0.1 * i for i in range(10)])
    assert times["landmarks"].tolist() == pytest.approx([(i + 0.5) / 16 for i in range(16)])


def test_a_tubelet_is_present_if_one_of_its_frames_is():
    spec = stream_specs(TINY)["video"]
    present = torch.zeros(1, 16, dtype=torch.bool)
    present[0, [5, 15]] = True
    assert patch_present(present, spec).reshape(4, 4).tolist() == [[False] * 4, [True] * 4, [False] * 4, [True] * 4]


def test_a_gap_holds_the_nearest_frame_of_its_patch():
    batch = make_batch(1)
    present = torch.ones(1, 16, dtype=torch.bool)
    present[0, [0, 1, 6]] = False
    video = batch.video.clone()
    video[~present] = float("nan")
    held = read_streams(replace(batch, video=video, present={"video": present}), stream_specs(TINY))["video"].values
    clean = read_streams(batch, stream_specs(TINY))["video"].values
    for gap, source in ((0, 2), (1, 2), (6, 5)):
        assert torch.equal(held[0, gap], clean[0, source])


@pytest.mark.parametrize("stem", ["linear", "conv", "mobile"])
@pytest.mark.parametrize(("name", "mode"), [("video", "tube"), ("video", "unstructured"), ("audio", "time_freq")])
def test_a_hidden_patch_changes_no_visible_token(stem, name, mode):
    config = TINY.model_copy(update={"stem": stem})
    specs = stream_specs(config)
    stream = read_streams(make_batch(2), specs)[name]
    spec = specs[name]
    tokenizer = Tokenizer(spec, config)
    grid = (stream.values.shape[1] // spec.patch[0], *spec.grid)
    hidden = sample_mask(2, grid, ratio=0.5, mode=mode, generator=torch.Generator().manual_seed(3))
    other = stream._replace(values=torch.where(spread(hidden, stream, spec), torch.nan, stream.values))
    first, second = tokenizer(stream, ~hidden), tokenizer(other, ~hidden)
    assert first.tokens.shape[1] == int((~hidden[0]).sum())
    assert torch.equal(first.tokens, second.tokens)
    assert torch.equal(first.time_s, second.time_s)


def spread(hidden, stream, spec):
    """By loops, which values belong to hidden patches."""
    mask = torch.zeros_like(stream.values, dtype=torch.bool)
    (t, h, w), (rows, columns) = spec.patch, spec.grid
    for b, n in hidden.nonzero().tolist():
        step, row, column = n // (rows * columns), n // columns % rows, n % columns
        mask[b, step * t : (step + 1) * t, :, row * h : (row + 1) * h, column * w : (column + 1) * w] = True
    return mask


def test_kept_tokens_are_those_of_the_whole():
    specs = stream_specs(TINY)
    stream = read_streams(make_batch(2), specs)["video"]
    tokenizer = Tokenizer(specs["video"], TINY)
    keep = ~sample_mask(2, (4, 2, 2), ratio=0.75, generator=torch.Generator().manual_seed(0))
    whole, some = tokenizer(stream), tokenizer(stream, keep)
    for b in range(2):
        torch.testing.assert_close(some.tokens[b], whole.tokens[b, keep[b]])
        assert torch.equal(some.time_s[b], whole.time_s[keep[b]])


def test_unequal_numbers_of_kept_patches_are_refused():
    specs = stream_specs(TINY)
    stream = read_streams(make_batch(2), specs)["video"]
    keep = torch.ones(2, 16, dtype=torch.bool)
    keep[0, 0] = False
    with pytest.raises(ValueError, match=r"equally many patches, got \[15, 16\]"):
        Tokenizer(specs["video"], TINY)(stream, keep)


def test_the_conv_stem_reads_every_pixel():
    model = HashFormer(TINY.model_copy(update={"stem": "conv"}))
    video = make_batch(1).video.requires_grad_()
    model(video=video).logits["video"].sum().backward()
    assert (video.grad.abs().sum(dim=(0, 1, 2)) > 0).all()


def test_fine_detail_is_what_a_blur_takes_away():
    flat = torch.full((1, 3, 8, 8), 0.7)
    assert torch.allclose(fine_detail(flat), torch.zeros(1), atol=1e-5)
    dot = torch.zeros(1, 1, 5, 5)
    dot[..., 2, 2] = 9.0
    expected = torch.zeros(1, 1, 5, 5)
    expected[..., 1:4, 1:4] = -4.0
    expected[..., 2, 2] = 4 * (9 - 1)
    assert torch.allclose(fine_detail(dot), expected)


def test_a_stem_with_high_pass_sees_texture_under_a_strong_picture():
    config = TINY.model_copy(update={"stem": "conv", "high_pass": True})
    stem = Tokenizer(stream_specs(config)["video"], config).stem
    assert stem.layers[0].in_channels == 6
    smooth = torch.linspace(-2, 2, 32).expand(1, 4, 3, 32, 32)
    grain = smooth + 0.05 * (-1.0) ** torch.arange(32)
    kernel = torch.zeros_like(stem.layers[0].weight)
    kernel[:, 3:, 1, 1] = 1.0
    stem.layers[0].weight.data, stem.layers[0].bias.data = kernel, torch.zeros_like(stem.layers[0].bias)
    first = [stem.layers[0](torch.cat([x[0], fine_detail(x[0])], 1)) for x in (smooth, grain)]
    assert float(first[1].abs().mean()) > 5 * float(first[0].abs().mean())


def test_high_pass_needs_the_conv_stem():
    with pytest.raises(ValueError, match="high_pass belongs to stem=conv, got stem=linear"):
        ModelConfig(high_pass=True)


def test_a_folding_stem_reads_every_pixel_and_loses_none():
    config = TINY.model_copy(update={"stem": "conv", "stem_fold": 2, "high_pass": True})
    model = HashFormer(config)
    assert model.tokenizers["video"].stem.layers[0].in_channels == 4 * 6
    assert model.tokenizers["audio"].stem.layers[0].in_channels == 1
    video = make_batch(1).video.requires_grad_()
    model(video=video).logits["video"].sum().backward()
    assert (video.grad.abs().sum(dim=(0, 1, 2)) > 0).all()


@pytest.mark.parametrize("stem", ["conv", "mobile"])
def test_a_stem_looks_at_the_chosen_frames_alone(stem):
    config = TINY.model_copy(update={"stem": stem, "stem_frames": 2})
    model = HashFormer(config).eval()
    video = make_batch(1).video.requires_grad_()
    model(video=video).logits["video"].sum().backward()
    looked_at = (video.grad.abs().sum(dim=(0, 2, 3, 4)) > 0).tolist()
    assert looked_at == [True, False, True, False] * (len(looked_at) // 4)


def test_folding_belongs_to_the_conv_stem():
    with pytest.raises(ValueError, match="stem_fold=2 belongs to stem=conv and must divide video_patch_px"):
        ModelConfig(stem_fold=2)


def test_motion_is_measured_from_what_is_present():
    values = torch.tensor([[[1.0], [3.0], [100.0]]])
    assert from_mean(values, None)[0, :, 0].tolist() == pytest.approx([-101 / 3, -95 / 3, 196 / 3], abs=1e-4)
    assert from_mean(values, torch.tensor([[True, True, False]]))[0, :, 0].tolist() == [-1.0, 1.0, 0.0]
    assert from_mean(values, torch.zeros(1, 3, dtype=torch.bool)).abs().sum() == 0


def test_with_motion_a_still_face_differs_from_one_that_moves_a_little():
    config = TINY.model_copy(update={"landmark_motion": 8.0})
    tokenizer = Tokenizer(stream_specs(config)["landmarks"], config)
    assert tokenizer.project.in_features == 2 * stream_specs(config)["landmarks"].patch_values
    batch = make_batch(1)
    still = batch.landmarks[:, :1].expand_as(batch.landmarks)
    moving = still + 0.01 * torch.sin(torch.arange(still.shape[1]))[None, :, None]
    streams = [read_streams(replace(batch, landmarks=x), stream_specs(config))["landmarks"] for x in (still, moving)]
    with torch.no_grad():
        tokenizer.project.weight[:, : tokenizer.project.in_features // 2] = 0
    one, other = (tokenizer(stream).tokens for stream in streams)
    assert one.std(1).abs().max() < 1e-5 < other.std(1).abs().max()
