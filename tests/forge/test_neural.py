"""The neural resynthesis in training: learnt from prepared files, named in the config, drawn like any other kind."""

import pickle

import numpy as np
import pytest

from hashformer.config.forge import ForgeConfig, ForgeryChances
from hashformer.data.forge import FORGERIES, kinds_with
from hashformer.data.forge.autoencoder import AutoencoderSettings
from hashformer.data.forge.learn import learn_autoencoder
from hashformer.data.training import ForgedValidation, TrainingClips
from hashformer.errors import ConfigError, StoreError, TrainError, WeightsError
from make_corpus import CONFIG, make_corpus
from make_talker import same, talking_clip

SMALL = AutoencoderSettings(size_px=32, channels=(8, 16), latent_channels=4)
ALONE = dict.fromkeys(ForgeryChances.model_fields, 0.0) | {"neural_resynthesis": 1.0}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("prepared")
    return make_corpus(root), root


@pytest.fixture(scope="module")
def file(corpus, tmp_path_factory):
    rows, root = corpus
    path = tmp_path_factory.mktemp("weights") / "faces.safetensors"
    learn_autoencoder(rows, root, steps=3, settings=SMALL).save(path)
    return str(path)


def test_training_and_validation_draw_it(corpus, file):
    rows, root = corpus
    forge = ForgeConfig(chances=ForgeryChances(**ALONE), autoencoder=file, corpora_share=0.0)
    groups = [TrainingClips(rows, root, config=CONFIG, forge=forge)[k] for k in range(8)]
    forged = [example for group in groups for example in group[1:]]
    assert {example.kind for example in forged} == {"neural_resynthesis"}
    for example in forged:
        assert (example.labels["video"], example.labels["overall"]) == (1, 1)
        assert example.mask.max() > 0
    shown = ForgedValidation(rows, root, config=CONFIG, forge=forge)[0]
    assert [example.kind for example in shown] == ["", "neural_resynthesis"]


def test_its_kind_goes_to_other_processes_small(file):
    kind = kinds_with(file)["neural_resynthesis"]
    sent = pickle.dumps(kind)
    assert len(sent) < 2000
    clip = talking_clip(8)
    one, other = (
        each.make(clip, None, rng=np.random.default_rng(0), sample_rate_hz=16_000).clip
        for each in (kind, pickle.loads(sent))
    )
    assert same(one, other)
    assert not same(one, clip)


def test_the_same_files_and_seed_teach_the_same(corpus):
    rows, root = corpus
    a, b, c = (learn_autoencoder(rows, root, steps=2, seed=seed, settings=SMALL).state_dict() for seed in (1, 1, 2))
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert not all(np.array_equal(a[name], c[name]) for name in a)


def test_fakes_teach_nothing(corpus):
    rows, root = corpus
    with pytest.raises(StoreError, match="no rows"):
        learn_autoencoder([row for row in rows if row.label == 1], root, steps=1)
    with pytest.raises(TrainError, match="no frame with a face"):
        learn_autoencoder(rows[4:5], root, steps=1, settings=SMALL)  # sound alone


def test_a_chance_needs_a_file_and_the_file_must_be_one(tmp_path):
    with pytest.raises(ConfigError, match="autoencoder names no file; `hashformer forge --train-autoencoder`"):
        ForgeConfig.parse({"chances": {"neural_resynthesis": 0.5}})
    with pytest.raises(WeightsError, match=r"no\.safetensors"):
        kinds_with(str(tmp_path / "no.safetensors"))
    assert kinds_with("") is FORGERIES
