"""Which networks there are to find people, and which of mmpose's and mmdet's configurations each has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

_DEMO = "demo/mmdetection_cfg"


@dataclass(frozen=True)
class Published:
    """A network's configuration in a package's repository, what is changed of it by dotted path, and the
    score above which people count as found.

    Overlapping boxes are dropped as the configuration says: above an intersection over union of 0.6 (RTMDet),
    0.65 (YOLOX) and 0.5 (Faster R-CNN).
    """

    package: Literal["mmpose", "mmdet"]
    config: str
    score_above: float
    changes: Mapping[str, object] = field(default_factory=dict)


FOUND_SCORE = 0.5
"""DWPose's programs on mmdet (as in MusePose and controlnet_aux) take people above it. They then drop what
overlaps by more than 0.7, of which nothing is left. mmpose's own demo takes 0.3 for both, which loses one of
two people who pass each other.
"""

ANY_SCORE = 0.0
"""SMPLer-X's program takes whatever mmdet gives, which is what is above 0.05."""

NETWORKS: Mapping[str, Published] = MappingProxyType(
    {
        "rtmdet-m": Published("mmpose", f"{_DEMO}/rtmdet_m_640-8xb32_coco-person.py", FOUND_SCORE),
        "yolox-l": Published("mmdet", "configs/yolox/yolox_l_8xb8-300e_coco.py", FOUND_SCORE),
        "faster-rcnn": Published("mmdet", "configs/faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py", ANY_SCORE),
        "small": Published(
            "mmpose",
            f"{_DEMO}/rtmdet_nano_320-8xb32_coco-person.py",
            FOUND_SCORE,
            {
                "model.backbone.widen_factor": 0.125,
                "model.backbone.deepen_factor": 0.1,
                "model.neck.in_channels": [32, 64, 128],
                "model.neck.out_channels": 32,
                "model.bbox_head.in_channels": 32,
                "model.bbox_head.feat_channels": 32,
            },
        ),
    }
)
"""By name. `small` is published nowhere: it runs wherever a network is needed and its answers are not, as in
a dry run.
"""
