"""Which networks there are for whole-body keypoints, and which of mmpose's configurations each has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_CONFIGS = "configs/wholebody_2d_keypoint/rtmpose"


@dataclass(frozen=True)
class Published:
    """A network's configuration in mmpose's repository, the width and height of its input in pixels, and what
    is changed of the configuration, by dotted path.
    """

    config: str
    input_size: tuple[int, int]
    changes: Mapping[str, object] = field(default_factory=dict)


NETWORKS: Mapping[str, Published] = MappingProxyType(
    {
        "rtmpose-m": Published(
            f"{_CONFIGS}/coco-wholebody/rtmpose-m_8xb64-270e_coco-wholebody-256x192.py", (192, 256)
        ),
        "rtmpose-l": Published(
            f"{_CONFIGS}/coco-wholebody/rtmpose-l_8xb32-270e_coco-wholebody-384x288.py", (288, 384)
        ),
        "rtmpose-x": Published(
            f"{_CONFIGS}/coco-wholebody/rtmpose-x_8xb32-270e_coco-wholebody-384x288.py", (288, 384)
        ),
        "dwpose-l": Published(
            f"{_CONFIGS}/ubody/rtmpose-l_8xb32-270e_coco-ubody-wholebody-384x288.py", (288, 384)
        ),
        "small": Published(
            f"{_CONFIGS}/ubody/rtmpose-t_8xb64-270e_coco-ubody-wholebody-256x192.py",
            (192, 256),
            {
                "model.backbone.widen_factor": 0.125,
                "model.backbone.deepen_factor": 0.1,
                "model.head.in_channels": 128,
                "model.head.gau_cfg.hidden_dims": 64,
                "model.head.gau_cfg.s": 32,
            },
        ),
    }
)
"""By name. RTMPose-m is published for 256x192 only; DWPose's student is an RTMPose-l, distilled on UBody too.
`small` is published nowhere: it runs wherever a network is needed and its answers are not, as in a dry run.
"""
