"""HashFormer: a batch of clips in, logits, tokens and codes out."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hashformer.config import ModelConfig
from hashformer.model.attention import GroupPool
from hashformer.model.encoder import Encoded, Encoder
from hashformer.model.hashing import HashHead
from hashformer.model.heads import Heads, Told, soft_maximum
from hashformer.model.inputs import Stream, read_streams, stream_specs
from hashformer.model.lipsync import MOTION, Lags, LipSync
from hashformer.model.sound_traces import Heard, SoundTraces
from hashformer.model.tokens import Segment, Tokenizer, without
from hashformer.model.traces import Traces
from hashformer.types import Batch, ModelOutput, Seen


class Looks(NamedTuple):
    """What is told without tokens; None what is not there, or not looked at by this model."""

    lags: Lags | None
    seen: Seen | None
    heard: Heard | None


class HashFormer(nn.Module):
    """The network. It knows no label and no loss; what training needs beside it is in `hashformer.losses`.

    The `audio` head reads tokens of the sound alone and the `video` head those of picture and
    landmarks alone, so that one face's score does not depend on another's sound and a window's
    sound has one score for all its faces. `overall` and `sync` read every group, fusion included.

    Args:
        config: Shape of the network; the defaults are preset `base`.
    """

    def __init__(self, config: ModelConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ModelConfig()
        self.specs = stream_specs(config)
        names = tuple(self.specs)
        shape = (config.width, config.heads, config.head_dim)
        self.tokenizers = nn.ModuleDict({name: Tokenizer(spec, config) for name, spec in self.specs.items()})
        self.encoder = Encoder(config, names)
        self.pool = GroupPool((*names, *(f"fusion_{name}" for name in names)), *shape)
        self.heads = Heads(config)
        self.hash_head = HashHead(config.width, config.hash_bits) if config.hashing else None
        self.lip_sync: LipSync | None = None
        if config.lip_sync:
            self.lip_sync = LipSync(
                self.specs["audio"],
                self.specs["landmarks"],
                width=config.lip_sync,
                reach=config.lip_sync_lags,
                motion=config.landmark_motion or MOTION,
            )
        self.traces: Traces | None = None
        if config.trace_stride:
            self.traces = Traces(self.specs["video"], config.trace_stride, frames=config.trace_frames)
        self.sound_traces: SoundTraces | None = None
        if config.sound_trace_stride:
            self.sound_traces = SoundTraces(self.specs["audio"], config.sound_trace_stride)
        self.where_head = nn.Linear(config.width, 1) if config.where_head and "video" in names else None

    def forward(
        self,
        batch: Batch | None = None,
        *,
        audio: Tensor | None = None,
        video: Tensor | None = None,
        landmarks: Tensor | None = None,
        present: Mapping[str, Tensor] | None = None,
    ) -> ModelOutput:
        """Judge a batch of clips, given whole or stream by stream.

        Args:
            batch: The clips; leave the keywords out then.
            audio: Log-mel or MFCC frames, (B, T, bins).
            video: RGB in 0–1, (B, T, C, H, W).
            landmarks: x and y by turns, 0–1 of the crop, (B, T, 2K).
            present: For a stream, where it is there, (B, T) bool; everywhere if left out.

        Returns:
            Logits and what they rest on.

        Raises:
            ShapeError: If a stream has a shape that does not fit; it names what came and what fits.
        """
        if batch is None:
            batch = Batch(audio=audio, video=video, landmarks=landmarks, present=present or {})
        streams = read_streams(batch, self.specs)
        return self.answer(self.encode(streams), self.look(streams))

    def look(self, streams: Mapping[str, Stream], keep: Mapping[str, Tensor] | None = None) -> Looks:
        """What is told without tokens: lips against sound at every lag, traces in single frames and in sound.

        Args:
            streams: From `read_streams`.
            keep: For a stream, the patches to keep, (B, N) bool. Traces are sought in these alone; the comparison of
                lips and sound, which knows no patches, is given the mean value, 0, in place of the others.
        """
        keep = keep or {}
        lags = seen = heard = None
        if self.lip_sync is not None and {"audio", "landmarks"} <= streams.keys():
            lags = self.lip_sync(
                *(without(streams[name], keep.get(name), self.specs[name]) for name in ("audio", "landmarks"))
            )
        if self.traces is not None and "video" in streams:
            seen = self.traces(streams["video"], keep.get("video"))
        if self.sound_traces is not None and "audio" in streams:
            heard = self.sound_traces(streams["audio"], keep.get("audio"))
        return Looks(lags, seen, heard)

    def encode(
        self, streams: Mapping[str, Stream], keep: Mapping[str, Tensor] | None = None, *, with_fusion: bool = True
    ) -> Encoded:
        """Turn streams into encoded tokens.

        Args:
            streams: From `read_streams`.
            keep: For a stream, the patches to keep, (B, N) bool; the others never reach the encoder.
            with_fusion: False leaves the fusion tokens out, where nothing reads them.
        """
        keep = keep or {}
        segments = {name: self.tokenizers[name](stream, keep.get(name)) for name, stream in streams.items()}
        durations = {name: stream.values.shape[1] / self.specs[name].rate_hz for name, stream in streams.items()}
        here = {name: stream.present.any(1) for name, stream in streams.items() if stream.present is not None}
        return self.encoder(segments, durations, here=here, with_fusion=with_fusion)  # type: ignore[no-any-return]

    def answer(self, encoded: Encoded, looks: Looks) -> ModelOutput:
        """Pool encoded tokens, judge them and give their codes.

        Args:
            encoded: From `encode`.
            looks: From `look`, of the same streams.
        """
        own = self.pool_streams(encoded.streams)
        fusion = {name: self.pool(part.tokens, part.present, f"fusion_{name}") for name, part in encoded.fusion.items()}
        present = {name: _every(part) for name, part in encoded.streams.items()}
        here = {name: mask.any(1) for name, mask in present.items()}
        where = self._where(encoded.streams)
        lags, seen, heard = looks
        told = Told(
            where=None if where is None else soft_maximum(where.float(), present["video"]),
            apart=None if lags is None else lags.logit,
            seen=None if seen is None else seen.logit,
            heard=None if heard is None else heard.logit,
        )
        logits, valid, method_logits = self.heads(own, fusion, here, told)
        return ModelOutput(
            logits=logits,
            valid=valid,
            tokens={name: part.tokens for name, part in encoded.streams.items()},
            token_present=present,
            pooled=own,
            codes=self.codes(own),
            method_logits=method_logits,
            where=where,
            lags=None if lags is None else lags.lags,
            seen=seen,
        )

    def pool_streams(self, streams: Mapping[str, Segment]) -> dict[str, Tensor]:
        """One vector for each stream, (B, D)."""
        return {name: self.pool(part.tokens, part.present, name) for name, part in streams.items()}

    def _where(self, streams: Mapping[str, Segment]) -> Tensor | None:
        if self.where_head is None or "video" not in streams:
            return None
        return self.where_head(streams["video"].tokens)[..., 0]  # type: ignore[no-any-return]  # (B, N)

    def codes(self, pooled: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The hash code of each pooled stream, (B, Q); none with hashing off."""
        if self.hash_head is None:
            return {}
        return {name: self.hash_head(vector) for name, vector in pooled.items()}


def _every(segment: Segment) -> Tensor:
    if segment.present is not None:
        return segment.present
    return torch.ones(segment.tokens.shape[:2], dtype=torch.bool, device=segment.tokens.device)
