"""Two processes give the loss and the gradients of one with the joined batch."""

import sys
import tempfile
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from hashformer.config import LossConfig, load_config
from hashformer.losses import Objective
from hashformer.losses.contrastive import AlignmentSettings, alignment_loss, balance_loss
from hashformer.losses.gather import View
from hashformer.model import HashFormer
from hashformer.types import Batch

SETTINGS = AlignmentSettings(1 / (16 * 0.3))
CASES = ("even", "missing", "uneven", "absent_here")


def joined(case):
    """Two streams of five clips with a fixed seed; the devices get the first three and the rest, or so."""
    generator = torch.Generator().manual_seed(0)
    views = []
    for n_tokens in (4, 6):
        vectors = torch.randn(6, 16, generator=generator, dtype=torch.float64)
        tokens = torch.randn(6, n_tokens, 8, generator=generator, dtype=torch.float64)
        views.append(View(tokens, torch.ones(6, n_tokens, dtype=torch.bool), vectors, torch.ones(6, dtype=torch.bool)))
    if case == "missing":
        views[0].valid[1] = views[1].valid[5] = False
    if case == "absent_here":
        views[1].valid[3:] = False
    return views


def split_at(case):
    return 4 if case == "uneven" else 3


def compute(views):
    for view in views:
        view.vectors.requires_grad_()
    loss = alignment_loss(*views, SETTINGS) + balance_loss(views[0])
    loss.backward()
    return loss.detach(), [view.vectors.grad for view in views]


def work(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    answers = {}
    for case in CASES:
        part = slice(0, split_at(case)) if rank == 0 else slice(split_at(case), 6)
        views = [View(*(field[part].clone() for field in view)) for view in joined(case)]
        if case == "absent_here" and rank == 1:
            # A device whose batch lacks the stream knows nothing of its length either.
            lone = views[1]
            views[1] = lone._replace(tokens=lone.tokens[:, :1] * 0, token_present=lone.token_present[:, :1] & False)
        answers[case] = compute(views)
    torch.manual_seed(0)
    config = LossConfig(
        contrast_loss_weight=1, cls_loss_weight=0, distill_loss_weight=0, contrast_intra=False, modality_dropout=0
    )
    objective = Objective(HashFormer(load_config("tiny").model), config)
    clips = clips_of("whole")
    mine = slice(0, 2) if rank == 0 else slice(2, 4)
    # The second device has clips without sound: it must take part in every gather all the same.
    own = Batch(
        audio=clips.audio[mine] if rank == 0 else None,
        video=clips.video[mine],
        landmarks=clips.landmarks[mine],
        present={},
    )
    total = objective(own).total
    total.backward()
    answers["objective"] = (total.detach(), [objective.model.hash_head.out.weight.grad])
    torch.save(answers, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def clips_of(_):
    generator = torch.Generator().manual_seed(3)
    return Batch(
        audio=torch.randn(4, 100, 128, generator=generator),
        video=torch.rand(4, 16, 3, 32, 32, generator=generator),
        landmarks=torch.rand(4, 16, 956, generator=generator),
        present={},
    )


@pytest.fixture(scope="module")
def answers():
    sys.path.insert(0, str(Path(__file__).parent))
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(work, (folder,), nprocs=2)
        return [torch.load(f"{folder}/{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("case", CASES)
def test_two_processes_equal_one(answers, case):
    loss, gradients = compute(joined(case))
    scale = [1, 1]
    mean = sum(answer[case][0] * s for answer, s in zip(answers, scale, strict=True)) / 2
    torch.testing.assert_close(mean, loss)
    for i in range(2):
        # Data-parallel training averages over devices.
        parts = [answer[case][1][i] / 2 for answer in answers]
        torch.testing.assert_close(torch.cat(parts), gradients[i])


def test_the_objective_takes_part_in_every_gather(answers):
    clips = clips_of("whole")
    torch.manual_seed(0)
    config = LossConfig(
        contrast_loss_weight=1, cls_loss_weight=0, distill_loss_weight=0, contrast_intra=False, modality_dropout=0
    )
    objective = Objective(HashFormer(load_config("tiny").model), config)
    present = {"audio": torch.tensor([True, True, False, False])[:, None].expand(4, 100)}
    total = objective(Batch(audio=clips.audio, video=clips.video, landmarks=clips.landmarks, present=present)).total
    total.backward()
    torch.testing.assert_close((answers[0]["objective"][0] + answers[1]["objective"][0]) / 2, total.detach())
    mean = (answers[0]["objective"][1][0] + answers[1]["objective"][1][0]) / 2
    torch.testing.assert_close(mean, objective.model.hash_head.out.weight.grad, atol=1e-6, rtol=1e-3)
