"""Where a forgery is, and that it ranks above what it was made of: formulas, gradients, devices."""

import math
import sys
import tempfile
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from hashformer.config import LossConfig, load_config
from hashformer.errors import ConfigError
from hashformer.losses import Objective, freeze_unused, unused_parameters
from hashformer.losses.dense import pair_parts, where_loss
from hashformer.model import HashFormer
from model_batches import make_batch

TINY = load_config("tiny").model.model_copy(update={"where_head": True})
CONFIG = LossConfig(
    contrast_loss_weight=0,
    distill_loss_weight=0,
    cls_loss_weight=0.5,
    where_loss_weight=1,
    pair_loss_weight=1,
    modality_dropout=0,
)
NAN = float("nan")


def softplus(x):
    return math.log1p(math.exp(x))


def test_where_weighs_forged_and_genuine_alike():
    logits = torch.tensor([[2.0, -1.0, 0.5, 3.0]])
    masks = torch.zeros(1, 2, 4, 4)
    masks[:, :, :2, :2] = 1  # the upper left of four tokens, in both frames
    masks[:, 0, 2:, 2:] = 1  # the lower right one, in one frame of two
    loss = where_loss(logits, masks, torch.ones(1, 4, dtype=torch.bool), (1, 2, 2))
    forged = (softplus(-2.0) + 0.5 * softplus(-3.0)) / 1.5
    genuine = (softplus(-1.0) + softplus(0.5) + 0.5 * softplus(3.0)) / 2.5
    assert float(loss) == pytest.approx((forged + genuine) / 2, rel=1e-5)


def test_what_is_not_known_or_not_there_counts_for_nothing():
    logits = torch.randn(3, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    masks = torch.rand(3, 4, 6, 6, generator=torch.Generator().manual_seed(1))
    masks[1] = NAN
    present = torch.ones(3, 8, dtype=torch.bool)
    present[2, 4:] = False
    loss = where_loss(logits, masks, present, (2, 2, 2))
    loss.backward()
    assert math.isfinite(loss.item())
    assert (logits.grad[1] == 0).all()
    assert (logits.grad[2, 4:] == 0).all()
    assert (logits.grad[0] != 0).all()
    assert float(where_loss(logits.detach(), torch.full_like(masks, NAN), present, (2, 2, 2))) == 0


def test_tokens_are_in_the_order_of_time_row_and_column():
    masks = torch.zeros(1, 4, 4, 4)
    masks[:, 2:, :2, 2:] = 1  # second half of the time, upper right
    forged = torch.zeros(2, 2, 2)
    forged[1, 0, 1] = 1
    right = (forged.flatten() * 40 - 20)[None]
    present = torch.ones(1, 8, dtype=torch.bool)
    assert float(where_loss(right, masks, present, (2, 2, 2))) < 1e-6
    assert float(where_loss(right.flip(1), masks, present, (2, 2, 2))) > 1


def pair_case():
    logits = {"overall": torch.tensor([0.5, 1.0, -1.0, 2.0]), "audio": torch.tensor([0.0, 3.0, 1.0, 1.0])}
    valid = {"overall": torch.ones(4, dtype=torch.bool), "audio": torch.tensor([True, True, True, False])}
    labels = {"overall": torch.tensor([0.0, 1, 1, 0]), "audio": torch.tensor([0.0, 1, 0, NAN])}
    return logits, valid, labels


def test_a_pair_counts_for_the_heads_to_which_it_is_real_and_fake():
    logits, valid, labels = pair_case()
    parts = pair_parts(logits, valid, labels, torch.tensor([[0, 1], [0, 2], [0, 3]]), margin=1.0)
    assert float(parts["overall"]) == pytest.approx((softplus(1 - 0.5) + softplus(1 + 1.5)) / 2, rel=1e-5)
    assert float(parts["audio"]) == pytest.approx(softplus(1 - 3.0), rel=1e-5)


def test_no_pairs_cost_nothing():
    assert pair_parts(*pair_case(), torch.zeros(0, 2, dtype=torch.int64)) == {}


def case(n=4):
    batch = make_batch(n, seed=1)
    labels = {
        "video": torch.tensor([0.0, 1, 0, 0])[:n],
        "audio": torch.tensor([0.0, 0, 0, 1])[:n],
        "sync": torch.tensor([0.0, 0, 0, NAN])[:n],
        "overall": torch.tensor([0.0, 1, 0, 1])[:n],
    }
    masks = torch.zeros(n, 16, 28, 28)
    masks[1, :, 10:, 5:20] = 1
    masks[3] = NAN
    return batch, labels, masks, torch.tensor([[0, 1], [2, 3]])


def objective(config=CONFIG):
    torch.manual_seed(0)
    return Objective(HashFormer(TINY), config)


def test_gradients_reach_the_heads_and_the_losses_fall():
    trained = objective()
    freeze_unused(trained)
    batch, labels, masks, pairs = case()
    optimiser = torch.optim.AdamW([p for p in trained.parameters() if p.requires_grad], lr=3e-3)
    first = None
    for _ in range(40):
        losses = trained(batch, labels=labels, masks=masks, pairs=pairs)
        optimiser.zero_grad()
        losses.total.backward()
        optimiser.step()
        first = first or losses
    assert set(losses.named) == {"cls", "where", "pair"}
    assert set(losses.parts) >= {"where/tokens", "pair/overall", "pair/video", "pair/audio"}
    assert "pair/sync" in losses.skipped
    for name in ("where", "pair"):
        assert losses.named[name] < 0.7 * first.named[name]
    unreached = {name for name, p in trained.named_parameters() if p.requires_grad and p.grad is None}
    assert not unreached
    assert "model.where_head.weight" not in unused_parameters(trained)


def test_a_batch_without_masks_or_picture_still_reaches_every_parameter():
    trained = objective()
    _, labels, masks, _ = case()
    for batch, given in ((case()[0], None), (make_batch(4, seed=1, streams=("audio",)), masks)):
        trained.zero_grad()
        losses = trained(batch, labels=labels, masks=given, pairs=None)
        losses.total.backward()
        assert losses.named["where"] == 0
        assert "where/tokens" in losses.skipped
        assert trained.model.where_head.weight.grad is not None


def test_a_model_without_the_head_is_refused():
    with pytest.raises(ValueError, match=r"set model\.where_head"):
        Objective(HashFormer(load_config("tiny").model), CONFIG)
    with pytest.raises(ConfigError, match="set cls_loss_weight"):
        LossConfig.parse({"cls_loss_weight": 0, "pair_loss_weight": 1})
    assert "model.where_head.weight" in unused_parameters(objective(CONFIG.model_copy(update={"where_loss_weight": 0})))


def work(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    batch, labels, masks, _ = case()
    mine = slice(0, 2) if rank == 0 else slice(2, 4)
    trained = objective()
    own = type(batch)(audio=batch.audio[mine], video=batch.video[mine], landmarks=batch.landmarks[mine], present={})
    losses = trained(
        own,
        labels={name: values[mine] for name, values in labels.items()},
        masks=masks[mine],
        pairs=torch.tensor([[0, 1]]),
    )
    losses.total.backward()
    torch.save((losses.total.detach(), [p.grad for p in trained.model.parameters()]), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_equal_one():
    sys.path.insert(0, str(Path(__file__).parent))
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(work, (folder,), nprocs=2)
        answers = [torch.load(f"{folder}/{rank}.pt", weights_only=True) for rank in range(2)]
    batch, labels, masks, pairs = case()
    trained = objective()
    total = trained(batch, labels=labels, masks=masks, pairs=pairs).total
    total.backward()
    torch.testing.assert_close((answers[0][0] + answers[1][0]) / 2, total.detach())
    for parameter, first, second in zip(trained.model.parameters(), answers[0][1], answers[1][1], strict=True):
        if parameter.grad is not None:
            torch.testing.assert_close((first + second) / 2, parameter.grad, atol=1e-6, rtol=1e-3)
