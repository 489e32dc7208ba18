"""The method without each of its parts."""

import json

import pytest
import typer
from typer.testing import CliRunner

from evaluate.corpora import voices
from hashformer.cli.ablate import _trainer
from hashformer.cli.ablate import ablate as command
from hashformer.config import Config, load_config
from hashformer.config.train import load_recipe
from hashformer.data.manifest import write_manifest
from hashformer.errors import ConfigError, EvaluationError, TrainError
from hashformer.evaluate.measure import Resampling
from hashformer.media import probe
from hashformer.model import HashFormer
from hashformer.model.weights import save_model
from hashformer.preprocess.extract import extract
from hashformer.preprocess.record import PrepareSettings, Source
from hashformer.preprocess.store import write_samples
from hashformer.studies.ablation import FULL, VARIANTS, ablate
from hashformer.studies.transfer import Target

QUICK = Resampling(n_resamples=100)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, finder, detector):
    folder = tmp_path_factory.mktemp("voices")
    rows = [row for row in voices(folder, n=6) if "voice" in row.path]
    write_manifest(rows, folder / "m.csv")
    for row in rows:
        info = probe(folder / row.path)
        samples = extract(folder / row.path, info, detector.config, detector._finder)
        source = Source(path=row.path, sha256="0" * 64, media=info)
        settings = PrepareSettings.of(detector.config)
        write_samples(folder / "prepared" / row.path, samples, source=source, settings=settings)
    return folder, rows


def target(corpus):
    folder, rows = corpus
    return Target(name="v", rows=rows, manifest_sha256="1" * 64, base_dir=None, prepared=folder / "prepared")


def weights(path, **model):
    tiny = load_config("tiny").model_dump()
    config = Config.parse(tiny | {"model": tiny["model"] | model})
    save_model(path, HashFormer(config.model), config=config, trained=True)
    return path


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_fits_the_recipe_and_changes_what_it_says(name):
    full = load_recipe("base", "finetune")
    changes = VARIANTS[name].over(full.config.model.modalities)
    changed = load_recipe("base", "finetune", changes)
    assert (changed.model_dump() != full.model_dump()) == bool(changes)
    assert bool(changes) or name in {FULL, "without_pretraining"}


@pytest.mark.parametrize("recipe", ["tiny", "small", "small-sync", "ablation", "base"])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_of_every_recipe_is_a_network(name, recipe):
    streams = load_recipe(recipe, "finetune").config.model.modalities
    model = load_recipe(recipe, "finetune", VARIANTS[name].over(streams)).config.model
    assert model.lip_sync == 0 or "landmarks" in model.modalities
    assert set(streams) - set(model.modalities) == ({"landmarks"} if name == "without_landmarks" else set())


def test_the_ablation_recipe_has_every_part_on():
    run = load_recipe("ablation", "finetune")
    for name, variant in VARIANTS.items():
        if changes := variant.over(run.config.model.modalities):
            assert load_recipe("ablation", "finetune", changes) != run, name
    assert run.losses.contrast_intra
    assert run.losses.contrast_inter
    assert run.losses.distill_masked
    assert run.losses.distill_cross


def test_variants_are_trained_or_taken_and_compared_with_the_whole(corpus, tmp_path):
    asked = []

    def train(name, variant):
        asked.append((name, variant.changes))
        return weights(tmp_path / f"{name}.safetensors", hashing=name != "without_hashing")

    names = [FULL, "without_hashing", "without_sfa"]
    given = {"without_sfa": str(weights(tmp_path / "sfa.safetensors", attention="dense"))}
    found = ablate(names, target(corpus), tmp_path / "out", train=train, given=given, how=QUICK)["variants"]
    assert asked == [(FULL, ()), ("without_hashing", ("config.model.hashing=false",))]
    assert [found[name]["auc"]["n"] for name in names] == [6, 6, 6]
    assert "against_full" not in found[FULL]
    assert found["without_hashing"]["changes"] == ["config.model.hashing=false"]
    for name in names[1:]:
        gap = found[name]["against_full"]["video_auc"]["difference"]
        assert gap == pytest.approx(found[name]["auc"]["value"] - found[FULL]["auc"]["value"])
    heads = {name: found[name]["heads"] for name in names}
    assert [set(heads[name]) for name in names] == [{"audio"}] * 3  # the files are sound alone
    assert "against_full" not in heads[FULL]["audio"]
    for name in names[1:]:
        gap = heads[name]["audio"]["against_full"]["video_auc"]["difference"]
        assert gap == pytest.approx(heads[name]["audio"]["auc"]["value"] - heads[FULL]["audio"]["auc"]["value"])


def test_a_variant_that_fails_costs_itself_alone(corpus, tmp_path):
    def train(name, variant):
        if name == "without_wfa":
            raise TrainError("the loss is not finite")
        return weights(tmp_path / f"{name}.safetensors")

    found = ablate([FULL, "without_wfa"], target(corpus), tmp_path / "out", train=train, how=QUICK)["variants"]
    assert found["without_wfa"]["error"] == "the loss is not finite"
    assert found[FULL]["auc"]["n"] == 6


def test_no_such_variant(corpus, tmp_path):
    with pytest.raises(EvaluationError, match="'without_sense'; known: full, without_wfa"):
        ablate(["without_sense"], target(corpus), tmp_path, train=lambda name, variant: tmp_path)


def test_the_command_takes_given_weights(corpus, tmp_path):
    app = typer.Typer()
    app.command()(command)
    one, other = weights(tmp_path / "a.safetensors"), weights(tmp_path / "b.safetensors", hashing=False)
    words = ["--manifest", corpus[0] / "m.csv", "--prepared", corpus[0] / "prepared", "--out", tmp_path / "out"]
    words += ["--variants", "full,without_hashing", "--weights", f"full={one}", "--weights", f"without_hashing={other}"]
    done = CliRunner().invoke(app, [*map(str, words), "--split", "", "--resamples", "100"], env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output
    assert "without_hashing" in done.output
    found = json.loads((tmp_path / "out" / "ablation.json").read_text())["variants"]
    assert f"{found['full']['auc']['value']:.3f}" in done.output
    assert (tmp_path / "out" / "ablation.csv").is_file()


def test_what_the_recipe_lacks_cannot_be_switched_off(corpus, tmp_path):
    train = _trainer(
        corpus[0] / "m.csv",
        corpus[0] / "prepared",
        tmp_path,
        load_from=None,
        recipe="tiny",
        changes=["losses.distill_loss_weight=0"],
        limit=1,
        device="cpu",
    )
    with pytest.raises(ConfigError, match="without_distillation: recipe tiny has this off already"):
        train("without_distillation", VARIANTS["without_distillation"])
