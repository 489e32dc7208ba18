import pytest
import torch

from hashformer.config import LossConfig, load_config
from hashformer.config.train import OptimiserConfig
from hashformer.losses import Objective
from hashformer.model import HashFormer
from hashformer.train.optim import lr_factor, parameter_groups


def groups(**config):
    objective = Objective(HashFormer(load_config("tiny").model), LossConfig())
    made = parameter_groups(objective, 0.01, OptimiserConfig(weight_decay=0.1, **config))
    names = {id(parameter): name for name, parameter in objective.named_parameters()}
    return {names[id(weight)]: group for group in made for weight in group["params"]}, objective


def test_only_matrices_decay():
    found, objective = groups()
    assert set(found) == {name for name, weight in objective.named_parameters() if weight.requires_grad}
    assert found["model.pool.queries"]["weight_decay"] == 0
    assert found["model.encoder.fusion.video"]["weight_decay"] == 0
    for name, parameter in objective.named_parameters():
        if parameter.dim() == 1:
            assert found[name]["weight_decay"] == 0, name
    assert found["model.hash_head.out.weight"]["weight_decay"] == 0.1


def test_stems_learn_at_their_own_rate():
    found, _ = groups(stem_lr=0.1)
    rates = {name.startswith("model.tokenizers."): group["lr"] for name, group in found.items()}
    assert rates == {True: pytest.approx(0.001), False: 0.01}


def test_what_is_frozen_is_left_out():
    objective = Objective(HashFormer(load_config("tiny").model), LossConfig())
    objective.model.heads.requires_grad_(False)
    kept = sum(len(group["params"]) for group in parameter_groups(objective, 0.01, OptimiserConfig()))
    assert kept == sum(weight.requires_grad for weight in objective.parameters())


def test_warm_up_then_cosine():
    rates = [lr_factor(step, warmup_steps=10, steps=110, least=0.1) for step in range(111)]
    assert rates[0] > 0
    assert rates == sorted(rates[:10]) + sorted(rates[10:], reverse=True)
    assert rates[10] == 1
    assert rates[60] == pytest.approx(0.55)
    assert rates[110] == pytest.approx(0.1)


def test_a_schedule_of_torch_follows_it():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([{"params": [weight], "lr": 0.5}])
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: lr_factor(step, warmup_steps=1, steps=3, least=0.0)
    )
    assert schedule.get_last_lr() == [0.25]
