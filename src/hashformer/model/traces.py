"""What generators leave in single frames."""

import torch
from torch import Tensor, nn

from hashformer.model.frozen import Found, FrozenLook
from hashformer.model.inputs import Stream, StreamSpec
from hashformer.model.tokens import chosen_frames, of_tubelets
from hashformer.types import Seen

_INNER = (3 / 14, 11 / 14)
"""Where the face lies on a crop's side."""


class Traces(FrozenLook):
    """Looks at the face in single frames of each tubelet; the clip's logit is a mean.

    Only the middle of the crop counts: around it, background and compression would tell sources apart. A place's logit
    is linear in the features there. Source of the map: Li et al., Face X-ray (2020).

    Args:
        spec: Of the video.
        stride: Pixels of the crop to one step of the features, 4, 8, 16 or 32.
        frames: How many frames of each tubelet are looked at; 0: all.
    """

    def __init__(self, spec: StreamSpec, stride: int, *, frames: int) -> None:
        super().__init__(stride, 1, last_blocks=1)
        self.grid = spec.grid
        self.tubelet, self.chosen = spec.patch[0], chosen_frames(spec.patch[0], frames)
        self.place = nn.Conv2d(self.features.out_channels, 1, 1)
        nn.init.zeros_(self.place.weight)
        face = torch.zeros(1, spec.shape[1] // stride, spec.shape[2] // stride)
        rows, columns = ([round(side * end) for end in _INNER] for side in face.shape[1:])
        face[0, rows[0] : rows[1], columns[0] : columns[1]] = 1
        self.face: Tensor
        self.register_buffer("face", face, persistent=False)
        self.requires_grad_(False)

    def find(self, video: Stream, keep: Tensor | None = None) -> Found:
        """Describe the frames that are looked at, B · t of them. Arguments as for `forward`."""
        looked_at = of_tubelets(video.values, self.tubelet, self.chosen)  # (B, t, C, rows, columns)
        shape = looked_at.shape[:2]
        present = torch.ones(shape, dtype=torch.bool, device=looked_at.device)
        if video.present is not None:
            tubelets = video.present.reshape(shape[0], -1, self.tubelet).any(-1)
            present = tubelets.repeat_interleave(len(self.chosen), 1)
        if keep is not None:
            grid = keep.reshape(shape[0], -1, *self.grid)  # (B, tubelets, rows, columns)
            grid = grid.repeat_interleave(len(self.chosen), 1)
            present = present & grid.any((2, 3))
            keep = grid.flatten(0, 1)
        return Found(*self.summarise(looked_at.flatten(0, 1), self.face, keep), present.flatten())

    def forward(self, video: Stream, keep: Tensor | None = None) -> Seen:
        """Look at the frames.

        Args:
            video: Values (B, T, C, rows, columns).
            keep: Patches that count, (B, N) bool; None for all. A frame of which none does is not looked at.
        """
        found = self.find(video, keep)
        shape = (len(video.values), -1)
        present, places = found.present.reshape(shape), self.place(found.features)[:, 0].float()
        logit = self.judge(found).reshape(shape).sum(1) / present.sum(1).clamp(min=1)
        return Seen(logit, places.reshape(*present.shape, *places.shape[1:]), present)
