"""What training adds to the network: the weight of each loss, and how each is computed."""

from typing import Literal, Self

from pydantic import Field, model_validator

from hashformer.config.base import Settings

AudioMaskMode = Literal["unstructured", "time", "freq", "time_freq"]
VideoMaskMode = Literal["unstructured", "tube", "frame"]


class LossConfig(Settings):
    """The losses. A weight of 0 skips the computation: no second view, no decoder, no predictor.

    The defaults are the finetuning weights of the research code: 0.9 classification, and 0.1 shared
    by alignment (0.2 intra + 0.2 inter) and reconstruction of embeddings (0.6).
    """

    contrast_loss_weight: float = Field(0.02, ge=0, description="weighted forgery alignment; 0 switches it off")
    distill_loss_weight: float = Field(0.06, ge=0, description="self-distillation; 0 switches it off")
    mae_loss_weight: float = Field(0.0, ge=0, description="masked autoencoding; 0 switches it off")
    cls_loss_weight: float = Field(0.9, ge=0, description="classification; 0 switches it off")
    where_loss_weight: float = Field(0.0, ge=0, description="which video tokens are forged; needs model.where_head")
    lag_loss_weight: float = Field(
        0.0, ge=0, description="lips and sound fit best at lag 0 where they belong together; needs model.lip_sync"
    )
    pair_loss_weight: float = Field(0.0, ge=0, description="a forgery's logits above those of the clip it was made of")

    contrast_intra: bool = Field(True, description="align two views of one stream")
    contrast_inter: bool = Field(True, description="align the streams of one clip")
    contrast_targets: Literal["weighted", "identity"] = Field(
        "weighted", description="identity: plain contrastive loss, each clip its own only positive"
    )
    mutual_attention: bool = Field(True, description="re-express tokens by the other stream before they are weighed")
    attention_temperature: float = Field(0.2, gt=0, description="of the softmax of mutual attention")
    weight_temperature: float = Field(0.2, gt=0, description="of the softmax that makes weights; lower is sharper")
    logit_temperature: float = Field(0.3, gt=0, description="divides the agreement of codes, −1 to 1")
    balance_weight: float = Field(0.1, ge=0, description="of hash-bit balance within the contrastive loss")

    distill_masked: bool = Field(True, description="a stream's embedding from itself, masked")
    distill_cross: bool = Field(True, description="a stream's embedding from another's")
    distill_mask_ratio: float = Field(0.5, gt=0, lt=1)
    distill_teacher: Literal["stop_gradient", "ema"] = "stop_gradient"
    ema_decay: float = Field(0.999, ge=0, lt=1, description="share of the old teacher kept at each update")
    landmark_guide: bool = Field(True, description="landmarks tell where on the picture to look")

    video_mask_ratio: float = Field(0.75, gt=0, lt=1)
    audio_mask_ratio: float = Field(0.6, gt=0, lt=1)
    video_mask_mode: VideoMaskMode = "unstructured"
    audio_mask_mode: AudioMaskMode = "unstructured"

    decoder_width: int = Field(256, ge=8, description="of MAE decoders and of the predictors of embeddings")
    decoder_depth: int = Field(2, ge=1)
    decoder_heads: int = Field(4, ge=1)

    label_smoothing: float = Field(0.05, ge=0, lt=1, description="how far labels move towards one half")
    pair_margin: float = Field(1.0, ge=0, description="by which a forgery's logit should exceed the real clip's")
    focal_gamma: float = Field(0.0, ge=0, description="0: plain binary cross-entropy")
    modality_dropout: float = Field(0.1, ge=0, lt=1, description="chance that a clip lacks a stream, in training")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.decoder_width % (2 * self.decoder_heads):
            raise ValueError(
                f"decoder_width={self.decoder_width} must be an even multiple of decoder_heads={self.decoder_heads}"
            )
        if self.where_loss_weight and not self.cls_loss_weight:
            raise ValueError("where_loss_weight adds to classification: set cls_loss_weight too")
        if self.pair_loss_weight and not self.cls_loss_weight:
            raise ValueError("pair_loss_weight adds to classification: set cls_loss_weight too")
        if self.contrast_loss_weight and not (self.contrast_intra or self.contrast_inter):
            raise ValueError("contrast_loss_weight is set, but contrast_intra and contrast_inter are both off")
        if self.distill_loss_weight and not (self.distill_masked or self.distill_cross):
            raise ValueError("distill_loss_weight is set, but distill_masked and distill_cross are both off")
        return self

    @property
    def reads_tokens(self) -> bool:
        """Whether a loss reads encoded tokens of whole clips."""
        return bool(self.cls_loss_weight or self.contrast_loss_weight or self.distill_loss_weight)

    @property
    def needs_labels(self) -> bool:
        """Whether a loss reads labels."""
        return bool(self.cls_loss_weight)

    @property
    def needs_second_view(self) -> bool:
        """Whether the loss reads a second augmented view of each clip."""
        return self.contrast_loss_weight > 0 and self.contrast_intra
