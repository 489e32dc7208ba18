"""A run that cannot go on says where, on what, and leaves the batch behind."""

from dataclasses import replace

import pytest
import torch

from hashformer.errors import TrainError
from hashformer.train.callbacks import is_out_of_memory
from hashformer.train.module import TrainModule
from hashformer.train.plain import read_batch
from noise_data import Loader, NoiseData, noise_run

STEPS = ("run.steps=4", "run.steps_per_epoch=4")


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    with pytest.raises(TrainError, match=r"stopped at step 2: the loss is nan.*train/0.mp4.*failed_step2_rank0.pt"):
        noise_run(tmp_path, *STEPS, broken=2)
    dump = tmp_path / "failed_step2_rank0.pt"
    assert torch.load(dump, weights_only=True)["files"] == [f"train/{i}.mp4" for i in range(4)]
    assert read_batch(dump).batch.audio.isnan().any()


def test_used_up_memory_stops_the_run(tmp_path, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(TrainModule, "training_step", full)
    with pytest.raises(TrainError, match=r"step 0: memory is used up; lower --batch_size, now 4"):
        noise_run(tmp_path, *STEPS)
    assert (tmp_path / "failed_step0_rank0.pt").is_file()


def test_other_errors_are_left_as_they_are(tmp_path, monkeypatch):
    def wrong(*_):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(TrainModule, "training_step", wrong)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        noise_run(tmp_path, *STEPS)


def test_memory_errors_are_told_from_others():
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried …"))
    assert not is_out_of_memory(RuntimeError("no such operator"))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_a_validation_without_real_files_is_refused(tmp_path, monkeypatch):
    odd = NoiseData.val_dataloader

    def fakes(self):
        self._share = lambda _: [10_001, 10_003, 10_005, 10_007]
        return odd(self)

    monkeypatch.setattr(NoiseData, "val_dataloader", fakes)
    with pytest.raises(TrainError, match="holds no real or no fake file"):
        noise_run(tmp_path, "run.steps=1", "run.steps_per_epoch=1")


def test_clips_without_what_the_network_reads_are_judged_by_no_head(tmp_path, monkeypatch):
    def silent_first(self):
        batches = list(iter(given(self)))
        here = {name: mask for name, mask in batches[0].packed.present.items() if name != "audio"}
        batches[0] = replace(batches[0], packed=replace(batches[0].packed, audio=None, present=here))
        return Loader(len(batches), lambda i: batches[i])

    def kept(self):
        seen.append({clip.window.first_frame // 8 for clip in self.judged if clip.logits})
        return ended(self)

    given, ended, seen = NoiseData.val_dataloader, TrainModule.on_validation_epoch_end, []
    monkeypatch.setattr(TrainModule, "on_validation_epoch_end", kept)
    monkeypatch.setattr(NoiseData, "val_dataloader", silent_first)
    sound_alone = ("config.model.modalities=[audio]", "run.steps=1", "run.steps_per_epoch=1")
    done = noise_run(tmp_path, *sound_alone)
    assert done.weights.is_file()
    assert seen[0] == {number for number in range(10_004, 10_016) if number % 3}  # every third has no sound
