"""The training objective: named losses, weighted and summed; a weight of 0 costs nothing."""

import copy
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hashformer.config import LossConfig
from hashformer.losses.forged_terms import lag_term, pair_term, where_term
from hashformer.losses.terms import (
    Term,
    clean_encoding,
    cls_term,
    contrast_term,
    cross_embedding_parts,
    distill_term,
    mae_term,
    masked_embedding_parts,
    views_of,
)
from hashformer.model import HashFormer
from hashformer.model.decoders import TokenDecoder
from hashformer.model.distill import EmbeddingPredictors, landmark_weights
from hashformer.model.encoder import Encoded
from hashformer.model.inputs import Stream, read_streams
from hashformer.model.masking import Chance, drop_modalities, sample_mask
from hashformer.model.tokens import Segment
from hashformer.types import Batch, ModelOutput


class Losses(NamedTuple):
    """What the objective gives for a batch.

    Attributes:
        total: Weighted sum, to call `backward` on.
        named: Each term whose weight is not 0, before its weight: contrast, distill, mae, cls, where, lag, trace, pair.
        parts: What the terms are made of, as `term/part`.
        skipped: Parts that could not be computed for this batch, as `term/part`, and why.
        output: What the model answered for the clips; None without classification.
    """

    total: Tensor
    named: dict[str, Tensor]
    parts: dict[str, Tensor]
    skipped: dict[str, str]
    output: ModelOutput | None


class Objective(nn.Module):
    """A model with what only training needs: decoders, predictors, a teacher. Each exists only if its loss does.

    Args:
        model: Trained in place; `model.state_dict()` is what a weight file holds.
        config: Weights of the losses.

    Raises:
        ValueError: If the loss of a head is asked for that the model lacks.
    """

    def __init__(self, model: HashFormer, config: LossConfig) -> None:
        super().__init__()
        if config.where_loss_weight and model.where_head is None:
            raise ValueError("where_loss_weight is set, but the model has no head for it: set model.where_head")
        if config.lag_loss_weight and model.lip_sync is None:
            raise ValueError("lag_loss_weight is set, but the model compares no lips with sound: set model.lip_sync")
        self.model = model
        self.config = config
        shape = model.config
        periods = (shape.rotary_min_period_s, shape.rotary_max_period_s)
        self.decoders = nn.ModuleDict()
        if config.mae_loss_weight:
            for name in ("audio", "video"):
                if name in model.specs:
                    spec = model.specs[name]
                    widths = (shape.width, config.decoder_width, spec.patch_values)
                    self.decoders[name] = TokenDecoder(
                        spec, widths, depth=config.decoder_depth, heads=config.decoder_heads, periods=periods
                    )
        self.predictors: EmbeddingPredictors | None = None
        self.teacher: HashFormer | None = None
        if config.distill_loss_weight:
            which = tuple(kind for kind in ("masked", "cross") if getattr(config, f"distill_{kind}"))
            self.predictors = EmbeddingPredictors(
                model.specs,
                (shape.width, config.decoder_width, shape.width),
                depth=config.decoder_depth,
                heads=config.decoder_heads,
                periods=periods,
                which=which,
            )
            if config.distill_teacher == "ema":
                self.teacher = copy.deepcopy(model).requires_grad_(False)

    def forward(
        self,
        batch: Batch,
        *,
        second: Batch | None = None,
        labels: Mapping[str, Tensor] | None = None,
        masks: Tensor | None = None,
        pairs: Tensor | None = None,
        generator: Chance = None,
    ) -> Losses:
        """Compute every loss whose weight is not 0.

        Args:
            batch: Clips.
            second: The same clips, augmented anew; needed if `config.needs_second_view`.
            labels: As for `classification.head_labels`, and `method`; needed for classification.
            masks: Share of each cell of the pictures that is forged, (B, T, g, g), 0–1, NaN where not known; for
                `where_loss_weight`. What is known of no clip is skipped.
            pairs: Rows of the batch: a real clip and its forgery, (n, 2) int64; for `pair_loss_weight`.
            generator: Source of chance for masks and modality dropout; torch's own if left out.

        Raises:
            ValueError: If `second` or `labels` is needed and missing.
        """
        config = self.config
        if config.needs_second_view and second is None:
            raise ValueError("contrast_intra aligns two views of each clip: pass second=, or switch it off")
        if config.needs_labels and labels is None:
            raise ValueError("classification needs labels=, or cls_loss_weight: 0")
        if self.training and config.modality_dropout:
            batch = drop_modalities(batch, config.modality_dropout, generator=generator)
        streams = read_streams(batch, self.model.specs)
        terms: dict[str, Term] = {}
        output = None
        looks = self.model.look(streams) if config.needs_labels else None
        if config.reads_tokens:
            clean = clean_encoding(self.model, streams, with_fusion=config.cls_loss_weight > 0)
            if config.cls_loss_weight and looks is not None:
                output = self.model.answer(clean, looks)
                terms |= self._labelled(output, labels or {}, batch, masks=masks, pairs=pairs)
            if config.contrast_loss_weight:
                terms["contrast"] = self._contrast(clean, output, second)
            if self.predictors is not None:
                terms["distill"] = self._distill(self.predictors, streams, clean, generator)
        if config.mae_loss_weight:
            terms["mae"] = self._mae(streams, generator)
        return self._sum(terms, output)

    @torch.no_grad()
    def update_teacher(self) -> None:
        """Move an EMA teacher towards the model; call it after every step of the optimiser."""
        if self.teacher is None:
            return
        for old, new in zip(self.teacher.parameters(), self.model.parameters(), strict=True):
            old.lerp_(new.detach(), 1 - self.config.ema_decay)

    def _sum(self, terms: Mapping[str, Term], output: ModelOutput | None) -> Losses:
        named = {name: term.value for name, term in terms.items()}
        weighted = [getattr(self.config, f"{name}_loss_weight") * value for name, value in named.items()]
        if not weighted:
            raise ValueError("every loss weight is 0: there is nothing to train")
        return Losses(
            total=torch.stack(weighted).sum(),
            named=named,
            parts={f"{name}/{part}": value for name, term in terms.items() for part, value in term.parts.items()},
            skipped={f"{name}/{part}": why for name, term in terms.items() for part, why in term.skipped.items()},
            output=output,
        )

    def _labelled(
        self,
        output: ModelOutput,
        labels: Mapping[str, Tensor],
        batch: Batch,
        *,
        masks: Tensor | None,
        pairs: Tensor | None,
    ) -> dict[str, Term]:
        terms = {"cls": cls_term(self.config, output, labels)}
        if self.config.where_loss_weight:
            n_frames = 0 if batch.video is None else batch.video.shape[1]
            terms["where"] = where_term(self.model, output, masks, n_frames)
        if self.config.lag_loss_weight:
            terms["lag"] = lag_term(output, labels)
        if self.config.pair_loss_weight:
            terms["pair"] = pair_term(self.config, output, labels, pairs)
        return terms

    def _contrast(self, clean: Encoded, output: ModelOutput | None, second: Batch | None) -> Term:
        model = self.model
        pooled = output.pooled if output is not None else model.pool_streams(clean.streams)
        first = views_of(model, clean.streams, pooled)
        other = None
        if self.config.contrast_intra and second is not None:
            encoded = clean_encoding(model, read_streams(second, model.specs), with_fusion=False).streams
            other = views_of(model, encoded, model.pool_streams(encoded))
        bits = model.config.hash_bits if model.hash_head is not None else None
        return contrast_term(self.config, bits, first, other)

    def _distill(
        self,
        predictors: EmbeddingPredictors,
        streams: Mapping[str, Stream],
        clean: Encoded,
        generator: Chance,
    ) -> Term:
        targets: Mapping[str, Segment] = clean.streams
        if self.teacher is not None:
            with torch.no_grad():
                targets = clean_encoding(self.teacher, streams, with_fusion=False).streams
        n_frames = {name: stream.values.shape[1] for name, stream in streams.items()}
        weights = self._guide(streams) if self.config.landmark_guide else {}
        masked, cross = {}, {}
        if self.config.distill_masked:
            keep = {
                name: ~self._mask(streams, name, self.config.distill_mask_ratio, "unstructured", generator)
                for name in streams
            }
            dense = self.model.config.attention == "dense"
            visible = self.model.encode(streams, keep, with_fusion=dense).streams
            masked = masked_embedding_parts(predictors.masked(visible, n_frames), targets, weights)
        if self.config.distill_cross:
            answers = predictors.cross(clean.streams, n_frames, guide=self.config.landmark_guide)
            cross = cross_embedding_parts(answers, targets, weights)
        return distill_term(masked, cross, clean)

    def _guide(self, streams: Mapping[str, Stream]) -> dict[str, Tensor]:
        if not {"video", "landmarks"} <= streams.keys():
            return {}
        spec, points = self.model.specs["landmarks"], streams["landmarks"]
        values = points.values.flatten(2) * spec.std + spec.mean  # (B, T, 2K), 0–1 of the crop
        video = self.model.specs["video"]
        return {
            "video": landmark_weights(values, points.present, spec.rate_hz, video, streams["video"].values.shape[1])
        }

    def _mae(self, streams: Mapping[str, Stream], generator: Chance) -> Term:
        config = self.config
        settings = {
            "audio": (config.audio_mask_ratio, config.audio_mask_mode),
            "video": (config.video_mask_ratio, config.video_mask_mode),
        }
        hidden = {
            name: self._mask(streams, name, *settings[name], generator) for name in self.decoders if name in streams
        }
        visible = self.model.encode(streams, {name: ~mask for name, mask in hidden.items()})
        fusion = list(visible.fusion.values())
        predicted = {}
        for name, mask in hidden.items():
            index = mask.nonzero()[:, 1].reshape(len(mask), -1)  # (B, n)
            predicted[name] = self.decoders[name](
                [visible.streams[name], *fusion], streams[name].values.shape[1], index
            )
        return mae_term(predicted, hidden, streams, self.model, visible)

    def _mask(self, streams: Mapping[str, Stream], name: str, ratio: float, mode: str, generator: Chance) -> Tensor:
        spec, values = self.model.specs[name], streams[name].values
        grid = (values.shape[1] // spec.patch[0], *spec.grid)
        return sample_mask(len(values), grid, ratio=ratio, mode=mode, generator=generator).to(values.device)
