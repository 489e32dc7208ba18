import pytest

from hashformer.config.train import TrainConfig, load_recipe, recipe_names
from hashformer.errors import ConfigError
from hashformer.train.stages import STAGES


@pytest.mark.parametrize("name", recipe_names())
@pytest.mark.parametrize("stage", STAGES)
def test_every_recipe_holds_both_stages(name, stage):
    config = load_recipe(name, stage)
    assert config.stage == stage
    assert config.losses.needs_labels == (stage == "finetune")
    assert config.run.epochs >= 1


def test_a_config_comes_back_from_yaml(tmp_path):
    config = load_recipe("tiny", "finetune", ["run.steps=40", "config.model.depth=1"])
    path = tmp_path / "again.yaml"
    path.write_text(config.to_yaml())
    assert load_recipe(path, "finetune") == config


def test_set_changes_a_value_and_keeps_its_neighbours():
    plain = load_recipe("tiny", "finetune")
    changed = load_recipe("tiny", "finetune", ["optimiser.lr=5e-5", "losses.contrast_intra=false"])
    assert changed.optimiser.lr == 5e-5
    assert changed.optimiser.warmup_steps == plain.optimiser.warmup_steps
    assert not changed.losses.contrast_intra
    assert changed.config == plain.config


def test_set_takes_another_preset_and_settings_over_it():
    config = load_recipe("tiny", "finetune", ["config=small", "config.model.dropout=0.1"])
    assert config.config.model.width == 256
    assert config.config.model.dropout == 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("optimiser.lrr=1", "did you mean 'optimiser.lr'"),
        ("warmup_steps=1", "did you mean 'optimiser.warmup_steps'"),
        ("run.steps", "write key=value"),
        ("run.steps=many", "run.steps"),
        ("run.steps=61", "multiple of steps_per_epoch"),
        ("losses.cls_loss_weight=0", "above 0 in stage finetune"),
        ("config=huge", "no preset of that name"),
    ],
)
def test_a_wrong_change_is_an_error_that_helps(change, message):
    with pytest.raises(ConfigError, match=message):
        load_recipe("tiny", "finetune", [change])


def test_no_such_recipe():
    with pytest.raises(ConfigError, match="tiny"):
        load_recipe("tinny", "finetune")


def test_learning_rate_follows_the_clips_of_a_step():
    config = load_recipe("base", "finetune")
    assert config.optimiser.peak_lr(256) == pytest.approx(3e-4)
    assert config.optimiser.peak_lr(64) == pytest.approx(0.75e-4)
    assert TrainConfig.parse({"optimiser": {"lr": 0.01}}).optimiser.peak_lr(64) == 0.01


def test_degradation_rises():
    config = load_recipe("tiny", "finetune", ["run.steps=80", "run.ramp=0.5"])
    assert [config.strength(epoch) for epoch in range(4)] == [0.5, 1.0, 1.0, 1.0]
