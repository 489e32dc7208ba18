"""One suspect clip, looked at: its maps, their check, and the pictures that show them."""

import hashlib

import torch
from torch import Tensor
from torch.nn import functional

from hashformer.data.batch import collate
from hashformer.data.features import SoundFeatures
from hashformer.evidence import pictures
from hashformer.evidence.attention import Looked, look
from hashformer.evidence.occlusion import HIDDEN_SHARE, occlude
from hashformer.evidence.places import Places, hottest
from hashformer.model.inputs import Stream, read_streams
from hashformer.model.weights import LoadedModel
from hashformer.results import HeatMap, SuspectClip
from hashformer.types import Clip, Seen


def suspect_clip(loaded: LoadedModel, clip: Clip, features: SoundFeatures) -> SuspectClip:
    """Look at one clip more closely.

    Args:
        loaded: The model that judged it.
        clip: With the streams that were judged, and no others.
        features: How the model reads sound.

    Returns:
        A map over the face and one over the spectrogram, as far as the clip has them, and those of the `where` head
        and of the traces in single frames if the model has them; each with its check.
    """
    device = next(loaded.model.parameters()).device
    batch = collate([clip], features).to(device)
    streams = read_streams(batch, loaded.model.specs)
    looked = look(loaded.model, streams)
    shown = pictures.middle_frame(clip)
    sound = None if batch.audio is None else pictures.spectrogram(batch.audio[0].cpu().numpy())
    maps = []
    for name, base in (("video", None if shown is None else shown.rgb), ("audio", sound)):
        if name not in streams or base is None:
            continue
        places = Places(loaded.model.specs[name], looked.output.tokens[name].shape[1])
        maps += [
            _checked(loaded, streams, name, source=source, heat=heat, places=places, base=base)
            for source, heat in _heats(looked, name, places).items()
        ]
    plain_face = b"" if shown is None else pictures.plain(shown.rgb)
    plain_sound = b"" if sound is None else pictures.plain(sound)
    return SuspectClip(
        start_s=clip.window.start_s,
        end_s=clip.window.end_s,
        track_id=None if clip.frames is None else clip.track_id,
        score=round(float(loaded.scores(looked.output)["overall"][0]), 6),
        maps=maps,
        shown_s=None if shown is None else shown.time_s,
        face_sha256=_sha256(plain_face),
        face_jpeg=plain_face,
        sound_sha256=_sha256(plain_sound),
        sound_jpeg=plain_sound,
    )


def _heats(looked: Looked, name: str, places: Places) -> dict[str, Tensor]:
    """By source: `attention`, 1 at its hottest place; `where` and `traces`, the mean probability at each place.

    There is no `attention` to a picture that is judged by its traces: no score rests on it.
    """
    present, heats = looked.output.token_present[name][0], {}
    if name != "video" or looked.output.seen is None:
        flow = places.gather(looked.relevance[name], present)
        heats["attention"] = flow / flow.max().clamp(min=torch.finfo(flow.dtype).tiny)
    if name == "video" and looked.output.where is not None:
        heats["where"] = places.gather(torch.sigmoid(looked.output.where[0].float()), present)
    if name == "video" and looked.output.seen is not None:
        heats["traces"] = _mean_of_frames(looked.output.seen, places.shape)
    return heats


def _mean_of_frames(seen: Seen, shape: tuple[int, int]) -> Tensor:
    """What the traces in single frames say of each place, the mean over the frames that are there, `shape`."""
    frames = torch.sigmoid(seen.places[0][seen.present[0]].detach().float())  # (t, rows, columns)
    return functional.adaptive_avg_pool2d(frames.mean(0)[None], shape)[0]


def _checked(  # noqa: PLR0913 -- a map and all that it is drawn and checked with
    loaded: LoadedModel,
    streams: dict[str, Stream],
    name: str,
    *,
    source: str,
    heat: Tensor,
    places: Places,
    base: pictures.Picture,
) -> HeatMap:
    marked = hottest(heat.cpu(), HIDDEN_SHARE)
    values = places.seen(heat.cpu())
    jpeg = pictures.overlaid(base, values.numpy(), places.seen(marked).numpy())
    return HeatMap.model_validate(
        {
            "stream": name,
            "source": source,
            "values": [[round(value, 4) for value in row] for row in values.tolist()],
            "occlusion": occlude(loaded, streams, name, heat=heat, places=places),
            "picture_sha256": _sha256(jpeg),
            "jpeg": jpeg,
        }
    )


def _sha256(data: bytes) -> str | None:
    return hashlib.sha256(data).hexdigest() if data else None
