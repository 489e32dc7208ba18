"""Resynthesis: what is kept, what is changed, and each way of doing it."""

from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest

from hashformer.data.forge.region import SHAPES, draw_region
from hashformer.data.forge.resynthesis import KINDS, MIN_CHANGE, resynthesis
from hashformer.data.forge.shown import shown
from hashformer.data.forge.texture import (
    denoised,
    draw_kernels,
    draw_texture,
    low_pass,
    requantised,
    resized,
    sharpened,
    transposed,
)
from hashformer.errors import ForgeryError
from hashformer.timebase import Window
from make_talker import copy, same, talking_clip

GAPS = (4, 5, 20)


def forge(clip, seed):
    return resynthesis(clip, None, rng=np.random.default_rng(seed), sample_rate_hz=16_000)


@pytest.fixture(scope="module")
def clip():
    return talking_clip(24, gaps=GAPS)


@pytest.mark.parametrize("seed", range(12))
def test_only_pixels_under_the_mask_change(clip, seed):
    forged = forge(clip, seed)
    outside = np.broadcast_to(forged.mask[:, None] == 0, clip.frames.shape)
    assert np.array_equal(forged.clip.frames[outside], clip.frames[outside])
    inside = np.broadcast_to(forged.mask[:, None] == 255, clip.frames.shape)
    assert np.abs(forged.clip.frames[inside].astype(int) - clip.frames[inside]).mean() > MIN_CHANGE / 2
    assert not forged.mask[list(GAPS)].any()
    assert np.array_equal(forged.clip.frames[list(GAPS)], clip.frames[list(GAPS)])
    assert forged.mask.dtype == forged.clip.frames.dtype == np.uint8
    assert forged.mask.shape == (24, 128, 128)


def test_the_same_seed_gives_the_same_forgery_and_the_clip_stays(clip):
    before = copy(clip)
    assert same(forge(clip, 3).clip, forge(clip, 3).clip)
    assert not same(forge(clip, 3).clip, forge(clip, 4).clip)
    assert same(clip, before)


def test_the_picture_is_false_throughout_and_nothing_else(clip):
    forged = forge(clip, 0)
    assert forged.kind == KINDS[0].name == "resynthesis"
    for window in (clip.window, Window(3, 8, 16)):
        assert forged.labels(window) == {"video": 1, "audio": 0, "sync": 0, "overall": 1}
    assert np.array_equal(forged.clip.waveform, clip.waveform)
    assert np.array_equal(forged.clip.landmarks, clip.landmarks, equal_nan=True)
    assert set(forge(talking_clip(24, sound=False), 0).spans) == {"video"}


def test_what_cannot_be_forged_is_refused(clip, monkeypatch):
    with pytest.raises(ForgeryError, match="no face"):
        forge(replace(clip, frames=None, landmarks=None, boxes=None), 0)
    away = replace(clip, landmarks=clip.landmarks + np.float32(500))
    texts = []
    for seed in range(8):
        try:
            forge(away, seed)
        except ForgeryError as error:
            texts.append(str(error))
    assert texts
    assert all("outside the picture" in text for text in texts)
    monkeypatch.setattr("hashformer.data.forge.resynthesis.draw_texture", lambda scale, rng: lambda picture: picture)
    with pytest.raises(ForgeryError, match=r"0\.00 of 255 levels, below 0\.8"):
        forge(clip, 0)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_region_follows_the_face(clip, shape):
    region = draw_region(shown(clip, name="clip"), shape, rng=np.random.default_rng(2))
    seen = [index for index in range(24) if index not in GAPS]
    assert region.indices.tolist() == seen
    for index in seen:
        left, top, right, bottom = region.boxes[index]
        inside = np.zeros((128, 128), bool)
        inside[top:bottom, left:right] = True
        assert not region.masks[index][~inside].any()
        mouth = clip.landmarks[index, 14].astype(int)
        assert region.masks[index, mouth[1], mouth[0]] > 200


def test_pasting_rounds_as_plain_arithmetic_does(clip):
    picture = shown(clip, name="clip")
    region = draw_region(picture, "face", rng=np.random.default_rng(0))
    part = np.full_like(region.part(picture.frames, 0), 255)
    weight = region.masks[0][..., None].astype(np.float64) / 255
    wanted = np.floor(picture.frames[0] * (1 - weight) + 255 * weight + 127 / 255 + 1e-9)
    region.paste(picture.frames, 0, part)
    assert np.array_equal(picture.frames[0], wanted)


WAYS = {
    "resized": partial(resized, scale=0.4, down=cv2.INTER_AREA, up=cv2.INTER_CUBIC),
    "transposed": partial(transposed, scale=0.5, kernels=draw_kernels(0.02, rng=np.random.default_rng(0))),
    "low_pass": partial(low_pass, block_px=16, kept=4.0),
    "bilateral": partial(denoised, how="bilateral", strength=1.0, sharpen=0.0),
    "median": partial(denoised, how="median", strength=1.0, sharpen=0.0),
    "guided": partial(denoised, how="guided", strength=1.0, sharpen=0.0),
    "requantised": partial(requantised, levels=32, chroma_scale=0.3),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_takes_detail_and_keeps_shape_and_colour(way):
    rng = np.random.default_rng(0)
    picture = np.clip(128 + cv2.GaussianBlur(rng.normal(0, 60, (101, 77, 3)), (0, 0), 1.0), 0, 255).astype(np.uint8)
    made = WAYS[way](picture)
    assert made.shape == picture.shape
    assert made.dtype == np.uint8
    assert np.abs(made.mean((0, 1)) - picture.mean((0, 1))).max() < 2
    assert detail(made) < detail(picture)
    assert np.abs(made.astype(int) - picture).mean() > 0.5


def detail(picture):
    return cv2.Laplacian(picture.astype(np.float32), cv2.CV_32F).std()


def test_low_pass_agrees_with_the_cosine_transform():
    rng = np.random.default_rng(0)
    picture = rng.integers(60, 200, (16, 16, 3)).astype(np.uint8)
    plane = cv2.dct(picture[..., 0].astype(np.float64))
    fade = np.clip((5.0 + 3 - np.arange(16)) / 3, 0, 1)
    wanted = cv2.idct(plane * np.outer(fade, fade))
    made = low_pass(picture, block_px=16, kept=5.0)[..., 0]
    assert np.abs(made - np.clip(np.rint(wanted), 0, 255)).max() <= 1


def test_a_transposed_convolution_leaves_a_grid():
    flat = np.full((64, 64, 3), 120, np.uint8)
    made = transposed(flat, scale=1.0, kernels=draw_kernels(0.05, rng=np.random.default_rng(0))).astype(float)
    phases = [made[y::2, x::2].mean() for y in (0, 1) for x in (0, 1)]
    assert np.ptp(phases) > 1
    assert abs(made.mean() - 120) < 1.5


def test_sharpening_raises_detail_and_nought_changes_nothing():
    picture = talking_clip(1).frames[0].transpose(1, 2, 0).copy()
    assert sharpened(picture, 0) is picture
    assert detail(sharpened(picture, 0.6)) > detail(picture)


def test_every_drawn_texture_keeps_the_size():
    picture = talking_clip(1).frames[0].transpose(1, 2, 0)[:41, :67].copy()
    for seed in range(40):
        texture = draw_texture(0.5, rng=np.random.default_rng(seed))
        assert texture(picture).shape == picture.shape
