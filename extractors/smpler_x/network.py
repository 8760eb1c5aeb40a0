"""The network SMPLer-X (arXiv:2309.17448, section 4): a vision transformer whose tokens and features tell
the body's pose and shape, where the hands are, and from a closer look at the features their pose.

Modules have the names of the released weights. Dimension names: b images, c channels of the encoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from extractors.rotations import interleaved_to_matrix, matrix_to_axis_angle
from extractors.smpler_x.operators import camera_translation, features_at, regions, soft_argmax, square_boxes
from extractors.vision_transformer import VisionTransformer

Size = Literal["s32", "b32", "l32", "h32", "small"]


@dataclass(frozen=True)
class Architecture:
    """What the sizes of the network differ in."""

    channels: int
    depth: int
    heads: int


ARCHITECTURES: dict[Size, Architecture] = {
    "s32": Architecture(384, 12, 12),
    "b32": Architecture(768, 12, 12),
    "l32": Architecture(1024, 24, 16),
    "h32": Architecture(1280, 32, 16),
    "small": Architecture(64, 2, 4),
}
"""The released sizes, and a small one for trying things out, of which there are no weights."""

_BODY_JOINTS, _HAND_JOINTS = 25, 20
"""Joints that have heat maps."""

_DEPTH = 16
"""Depth of a heat map; a body's is as high and wide as the encoder's features, a hand's is a cube."""

_STRIDE = 16
"""Pixels of the image in one of the features."""

_SHAPE, _CAMERA, _EXPRESSION, _JAW = range(4)
"""Which task tokens are for what. The two after these, for the hands, are not used."""

_BODY = slice(6, 6 + _BODY_JOINTS)


def smpler_x_network(size: Size) -> SmplerX:
    """The network of that size, with PyTorch's own random weights."""
    return SmplerX(ARCHITECTURES[size])


class SmplerX(nn.Module):
    """Images to the parameters of SMPL-X. The body model itself is not part of it."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        c = architecture.channels
        self.encoder = VisionTransformer(c, architecture.depth, architecture.heads, task_tokens=_BODY.stop)
        self.body_position_net = PositionNet(c, _BODY_JOINTS)
        self.body_regressor = BodyRegressor(c)
        self.box_net = BoxNet(c + _BODY_JOINTS * _DEPTH)
        self.hand_roi_net = HandRegionNet(c)
        self.hand_position_net = PositionNet(c, _HAND_JOINTS)
        self.hand_regressor = HandRegressor(c)
        self.face_regressor = FaceRegressor(c)

    def forward(self, images: Float[Tensor, "b 3 256 192"]) -> dict[str, Tensor]:
        """Images are RGB in [0, 1].

        Turns are axis-angles in radians, as SMPL-X takes them: root_pose (b, 3), body_pose (b, 21, 3),
        left_hand_pose and right_hand_pose (b, 15, 3), from the mean hand, jaw_pose (b, 3).
        shape and expression (b, 10). translation (b, 3): in metres in the axes of a camera of focal length
        5000 pixels of the image. joints (b, 65, 3): x, y, depth of 25 joints of the body and 20 of each
        hand, left first, in pixels of the features (16 of the image). left_hand_box, right_hand_box and
        face_box (b, 4): x0 y0 x1 y1 in pixels of the image.
        """
        features, tokens = self.encoder(images)
        heat, body_joints = self.body_position_net(features)
        root, body, shape, camera = self.body_regressor(tokens, body_joints)
        expression, jaw = self.face_regressor(tokens)

        centres, sizes = self.box_net(torch.cat([features, heat.flatten(1, 2)], 1))
        left_box, right_box, face_box = (
            square_boxes(centres[:, part], sizes[:, part], extension, _STRIDE)
            for part, extension in enumerate((2.0, 2.0, 1.5))
        )

        # A left hand is looked at in a mirror. First are all left hands, then all right ones.
        hand_features = self.hand_roi_net(features, left_box, right_box)
        _, hand_joints = self.hand_position_net(hand_features)
        left_hand, right_hand = axis_angles(self.hand_regressor(hand_features, hand_joints)).chunk(2)
        left_joints, right_joints = hand_joints.chunk(2)
        left_hand = torch.cat([left_hand[..., :1], -left_hand[..., 1:]], 2)
        left_joints = torch.cat([HandRegionNet.SIDE - 1 - left_joints[..., :1], left_joints[..., 1:]], 2)
        joints = [body_joints, _from_region(left_joints, left_box), _from_region(right_joints, right_box)]

        return {
            "root_pose": axis_angles(root)[:, 0],
            "body_pose": axis_angles(body),
            "left_hand_pose": left_hand,
            "right_hand_pose": right_hand,
            "jaw_pose": axis_angles(jaw)[:, 0],
            "shape": shape,
            "expression": expression,
            "translation": camera_translation(camera),
            "joints": torch.cat(joints, 1),
            "left_hand_box": left_box,
            "right_hand_box": right_box,
            "face_box": face_box,
        }


def axis_angles(numbers: Float[Tensor, "b six_per_joint"]) -> Float[Tensor, "b joints 3"]:
    """Six numbers a joint, to axis-angles."""
    return matrix_to_axis_angle(interleaved_to_matrix(numbers.float().reshape(len(numbers), -1, 6)))


def _from_region(joints: Float[Tensor, "b 20 3"], box: Float[Tensor, "b 4"]) -> Float[Tensor, "b 20 3"]:
    """From pixels of a hand's region to pixels of the features. The depth stays."""
    corner, size = box[:, None, :2], box[:, None, 2:] - box[:, None, :2]
    return torch.cat([(joints[..., :2] / HandRegionNet.SIDE * size + corner) / _STRIDE, joints[..., 2:]], 2)


class PositionNet(nn.Module):
    """Where each joint is, by a heat map in three dimensions."""

    def __init__(self, channels: int, joints: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(channels, joints * _DEPTH, 1))

    def forward(
        self, features: Float[Tensor, "b c height width"]
    ) -> tuple[Float[Tensor, "b joints 16 height width"], Float[Tensor, "b joints 3"]]:
        """The heat maps, each of sum 1, and the positions x, y, depth in their pixels."""
        scores = self.conv(features)
        return soft_argmax(scores.reshape(len(scores), -1, _DEPTH, *scores.shape[2:]))


class BodyRegressor(nn.Module):
    """The body's turn, pose, shape and place."""

    def __init__(self, channels: int, hidden: int = 512) -> None:
        super().__init__()
        self.body_conv = nn.Sequential(nn.Linear(channels, hidden))
        self.root_pose_out = nn.Sequential(nn.Linear(_BODY_JOINTS * (hidden + 3), 6))
        self.body_pose_out = nn.Sequential(nn.Linear(_BODY_JOINTS * (hidden + 3), 21 * 6))
        self.shape_out = nn.Sequential(nn.Linear(channels, 10))
        self.cam_out = nn.Sequential(nn.Linear(channels, 3))

    def forward(
        self, tokens: Float[Tensor, "b 31 c"], joints: Float[Tensor, "b 25 3"]
    ) -> tuple[Float[Tensor, "b 6"], Float[Tensor, "b 126"], Float[Tensor, "b 10"], Float[Tensor, "b 3"]]:
        """Six numbers of the root and of each of 21 joints, the shape, and the camera's numbers."""
        pose = torch.cat([self.body_conv(tokens[:, _BODY]), joints], 2).flatten(1)
        return (
            self.root_pose_out(pose),
            self.body_pose_out(pose),
            self.shape_out(tokens[:, _SHAPE]),
            self.cam_out(tokens[:, _CAMERA]),
        )


class FaceRegressor(nn.Module):
    """Expression and jaw."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.expr_out = nn.Sequential(nn.Linear(channels, 10))
        self.jaw_pose_out = nn.Sequential(nn.Linear(channels, 6))

    def forward(self, tokens: Float[Tensor, "b 31 c"]) -> tuple[Float[Tensor, "b 10"], Float[Tensor, "b 6"]]:
        """The expression, and six numbers of the jaw."""
        return self.expr_out(tokens[:, _EXPRESSION]), self.jaw_pose_out(tokens[:, _JAW])


class BoxNet(nn.Module):
    """Where the left hand, the right hand and the face are, and how large."""

    _UPSCALE = 8

    def __init__(self, channels: int, hidden: int = 256) -> None:
        super().__init__()
        self.deconv = _upsampling(channels, hidden, hidden, hidden)
        self.bbox_center = nn.Sequential(nn.Conv2d(hidden, 3, 1))
        self.lhand_size, self.rhand_size, self.face_size = (
            nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 2)) for _ in range(3)
        )

    def forward(
        self, features: Float[Tensor, "b channels 16 12"]
    ) -> tuple[Float[Tensor, "b 3 2"], Float[Tensor, "b 3 2"]]:
        """Centres x, y and widths and heights, in pixels of the features."""
        features = self.deconv(features)
        _, centres = soft_argmax(self.bbox_center(features))
        sizes = (self.lhand_size, self.rhand_size, self.face_size)
        sampled = features_at(features, centres).unbind(1)
        return centres / self._UPSCALE, torch.stack([s(at) for s, at in zip(sizes, sampled, strict=True)], 1)


class HandRegionNet(nn.Module):
    """The features of both hands, at a higher resolution."""

    SIDE = 16
    """Height and width of a hand's features."""

    _UPSCALE = 4

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.deconv = _upsampling(channels, channels // 2, channels // 4)
        self.conv = nn.Sequential(nn.Conv2d(channels // 4, channels, 1))

    def forward(
        self,
        features: Float[Tensor, "b c 16 12"],
        left_box: Float[Tensor, "b 4"],
        right_box: Float[Tensor, "b 4"],
    ) -> Float[Tensor, "2*b c 16 16"]:
        """First the left hands, mirrored, then the right ones. Boxes are in pixels of the image."""
        features = self.deconv(features)
        scale = self._UPSCALE / _STRIDE
        left, right = (regions(features, box * scale, self.SIDE) for box in (left_box, right_box))
        result: Tensor = self.conv(torch.cat([left.flip(3), right]))
        return result


class HandRegressor(nn.Module):
    """The pose of a right hand, from its features at its joints."""

    def __init__(self, channels: int, hidden: int = 512) -> None:
        super().__init__()
        self.hand_conv = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.BatchNorm2d(hidden), nn.ReLU())
        self.hand_pose_out = nn.Sequential(nn.Linear(_HAND_JOINTS * (hidden + 3), 15 * 6))

    def forward(
        self, features: Float[Tensor, "hands c 16 16"], joints: Float[Tensor, "hands 20 3"]
    ) -> Float[Tensor, "hands 90"]:
        """Six numbers of each of 15 joints."""
        sampled = features_at(self.hand_conv(features), joints[..., :2])
        result: Tensor = self.hand_pose_out(torch.cat([sampled, joints], 2).flatten(1))
        return result


def _upsampling(*channels: int) -> nn.Sequential:
    """Transposed convolutions, each of which doubles height and width."""
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [
            nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
