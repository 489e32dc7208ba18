"""Does a heat map mean anything? Hide what it marks, hide as much elsewhere, and see what becomes of the score."""

from collections.abc import Mapping
from statistics import fmean

import torch
from torch import Tensor

from hashformer.evidence.places import Places, hottest, moved
from hashformer.model.inputs import Stream
from hashformer.model.weights import LoadedModel
from hashformer.results import Occlusion

HIDDEN_SHARE = 0.2
"""Share of a stream's places that a map marks, and that are hidden."""
N_ELSEWHERE = 8
"""Other places at which the same shape is hidden."""
LEAST_DIFFERENCE = 0.05
"""A map explains something if hiding what it marks lowers the score by this much, and lowers it by this much more
than hiding elsewhere does on average, and more than hiding at any one of the other places."""
_SEED = 0


def occlude(
    loaded: LoadedModel, streams: Mapping[str, Stream], name: str, *, heat: Tensor, places: Places
) -> Occlusion:
    """Compare the overall score of a clip with the hottest places hidden and with as much hidden elsewhere.

    What is hidden does not count: its patches are taken out, as in masked training, and no grey box is laid over the
    picture, whose edges would be traces by themselves; the linear answers leave these places out.
    The comparison of lips and sound, which reads no patches, is given the mean value there. The control keeps the
    shape and only moves it, since a patch here and there is easily guessed from its neighbours.

    Args:
        loaded: The model and its calibration.
        streams: Of one clip, from `read_streams`.
        name: The stream that the map is of.
        heat: The map, `places.shape`.
        places: Of that stream.
    """
    marked = hottest(heat.cpu(), HIDDEN_SHARE)
    elsewhere = moved(marked, N_ELSEWHERE, torch.Generator().manual_seed(_SEED))
    (score,) = _scores(loaded, streams, {})
    keep = ~places.spread(torch.cat([marked[None], elsewhere])).to(heat.device)
    hidden, *others = _scores(loaded, streams, {name: keep})
    explains = min(score, fmean(others)) - hidden >= LEAST_DIFFERENCE and hidden < min(others)
    return Occlusion(
        hidden_share=round(float(marked.float().mean()), 4),
        score=score,
        score_marked_hidden=hidden,
        scores_elsewhere_hidden=others,
        explains=explains,
    )


def _scores(loaded: LoadedModel, streams: Mapping[str, Stream], keep: Mapping[str, Tensor]) -> list[float]:
    """The overall scores of one clip, once for each row of `keep`, or once as it is."""
    number = max((len(rows) for rows in keep.values()), default=1)
    with torch.inference_mode():
        repeated = {stream: _repeated(one, number) for stream, one in streams.items()}
        output = loaded.model.answer(loaded.model.encode(repeated, keep), loaded.model.look(repeated, keep))
        scores: list[float] = loaded.scores(output)["overall"].tolist()
    return [round(score, 6) for score in scores]


def _repeated(stream: Stream, number: int) -> Stream:
    values, present = stream
    return Stream(
        values.expand(number, *values.shape[1:]), None if present is None else present.expand(number, present.shape[1])
    )
