"""`hashformer pretrain`: from prepared clips, without labels, to weights that training starts from."""

from hashformer.cli.train import (
    BaseDir,
    BatchSize,
    Changes,
    Decode,
    Device,
    Devices,
    Limit,
    LoadFrom,
    LogDir,
    Manifest,
    Nodes,
    Options,
    Out,
    Recipe,
    Resume,
    Seed,
    Workers,
    run_stage,
)


def pretrain(
    base_dir: BaseDir,
    manifest: Manifest,
    log_dir: LogDir,
    recipe: Recipe = "small",
    changes: Changes = None,
    batch_size: BatchSize = None,
    load_from: LoadFrom = None,
    resume: Resume = False,
    limit: Limit = 0,
    device: Device = "auto",
    devices: Devices = 0,
    nodes: Nodes = 1,
    workers: Workers = None,
    decode: Decode = False,
    seed: Seed = None,
    out: Out = None,
) -> None:
    """Learn from prepared clips without labels: hidden patches, alignment of views and streams, self-distillation.

    The weight file is no detector: give it to `hashformer train` as --load_from.
    """
    run_stage("pretrain", Options(**locals()))
