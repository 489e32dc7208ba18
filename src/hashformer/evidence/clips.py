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
from hashformer.model import HashFormer
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
        Maps over the face and over the spectrogram, as far as the clip has them, each with its check: of the traces
        that the answer rests on or else of attention, and that of the `where` head if the model has one.
    """
    device = next(loaded.model.parameters()).device
    batch = collate([clip], features).to(device)
    streams = read_streams(batch, loaded.model.specs)
    looked = _looked(loaded.model, streams)
    shown = pictures.middle_frame(clip)
    sound = None if batch.audio is None else pictures.spectrogram(batch.audio[0].cpu().numpy())
    maps = []
    for name, base in (("video", None if shown is None else shown.rgb), ("audio", sound)):
        if name not in streams or base is None:
            continue
        places = Places(loaded.model.specs[name], looked.output.tokens[name].shape[1])
        maps += [
            _checked(loaded, streams, name, source=source, heat=heat, places=places, base=base)
            for source, heat in _heats(loaded.model, streams, looked, name=name, places=places).items()
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


def _looked(model: HashFormer, streams: dict[str, Stream]) -> Looked:
    """Judge one clip; attention is traced where a map of it is drawn."""
    if any(name in streams and not _has_traces(model, name) for name in ("video", "audio")):
        return look(model, streams)
    with torch.inference_mode():
        return Looked(model.answer(model.encode(streams), model.look(streams)), {})


def _heats(
    model: HashFormer, streams: dict[str, Stream], looked: Looked, *, name: str, places: Places
) -> dict[str, Tensor]:
    """By source: `attention` and the `traces` of sound, 1 at the hottest place; others the mean probability of each.

    There is no `attention` to a stream that is judged by its traces: of the scores, `sync` alone knows its tokens.
    """
    output, heats = looked.output, {}
    present = output.token_present[name][0]
    if not _has_traces(model, name):
        heats["attention"] = _to_one(places.gather(looked.relevance[name], present))
    if name == "video" and output.where is not None:
        heats["where"] = places.gather(torch.sigmoid(output.where[0].float()), present)
    if name == "video" and output.seen is not None:
        heats["traces"] = _mean_of_frames(output.seen, places.shape)
    if name == "audio" and model.sound_traces is not None:
        with torch.inference_mode():
            heats["traces"] = _to_one(_of_sound(model.sound_traces.places(streams[name])[0], places.shape))
    return heats


def _has_traces(model: HashFormer, name: str) -> bool:
    return (model.traces if name == "video" else model.sound_traces) is not None


def _to_one(flow: Tensor) -> Tensor:
    return flow / flow.max().clamp(min=torch.finfo(flow.dtype).tiny)


def _of_sound(added: Tensor, shape: tuple[int, int]) -> Tensor:
    """What speaks for a synthetic voice, from a picture with high bands on top to time and pitch, `shape`."""
    return functional.adaptive_avg_pool2d(added[None], shape[::-1])[0].flip(0).T.clamp(min=0)


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
