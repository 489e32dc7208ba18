"""Which parameters a set of losses trains."""

from hashformer.losses.total import Objective


def unused_parameters(objective: Objective) -> set[str]:
    """Names of the parameters that no loss of this objective reaches, whatever the batch.

    Losses that reach only part of the network leave the rest as it was initialised: alignment knows
    no fusion token, and only classification has heads.

    Args:
        objective: With its model inside.

    Returns:
        Names as in `objective.named_parameters()`, those of a teacher left out.
    """
    config, model = objective.config, objective.model
    classifies, contrasts = config.cls_loss_weight > 0, config.contrast_loss_weight > 0
    fuses = classifies or config.mae_loss_weight > 0 or model.config.attention == "dense"
    idle = {
        "model.heads.": not classifies,
        "model.heads.judges.video.": model.traces is not None,  # which answer in their place
        "model.heads.judges.audio.": model.sound_traces is not None,
        "model.lip_sync.": not classifies,
        "model.where_head.": config.where_loss_weight == 0,
        "model.hash_head.": not contrasts,
        "model.pool.": not (classifies or contrasts),
        "model.encoder.fusion.": not fuses,
    }
    return {
        name
        for name, _ in objective.named_parameters()
        if any(name.startswith(prefix) and off for prefix, off in idle.items())
    }


def freeze_unused(objective: Objective) -> None:
    """Take the parameters that no loss reaches out of training; distributed training then waits for none of them.

    What was frozen before, such as the first stages of a stem, stays so.
    """
    idle = unused_parameters(objective)
    for name, parameter in objective.named_parameters():
        if name in idle:
            parameter.requires_grad_(False)
