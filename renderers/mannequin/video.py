"""From a specification to a video of a made person and the labels beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from renderers.mannequin.camera import Camera, facing
from renderers.mannequin.clothes import Outfit, dress
from renderers.mannequin.errors import MannequinError
from renderers.mannequin.keypoints import keypoint_places
from renderers.mannequin.labels import label_frame, labels_path, write_labels
from renderers.mannequin.motion import Motion
from renderers.mannequin.person import Shape, bone_transforms, make_person
from renderers.mannequin.pose import bone_rotations
from renderers.mannequin.stage import Stage

_X264 = {"crf": "18", "preset": "veryfast"}
_FRAME_HEIGHT, _FRAME_WIDTH = 2.5, 1.58
"""What of the room must be in the picture, in metres: the raised and the outstretched arms."""


@dataclass(frozen=True)
class VideoSpec:
    """What to make. Sizes are in pixels and must be even, as H.264's colour planes are half as large.

    Raises MannequinError for a specification that cannot be made.
    """

    width: int = 540
    height: int = 960
    fps: float = 25.0
    seconds: float = 5.0
    shape: Shape = field(default_factory=Shape)
    outfit: Outfit = field(default_factory=Outfit)

    def __post_init__(self) -> None:
        for name, size in (("width", self.width), ("height", self.height)):
            if size % 2 or not 64 <= size <= 4096:
                raise MannequinError(f"{name} is {size}: give an even number of pixels from 64 to 4096.")
        if not 1 <= self.fps <= 240:
            raise MannequinError(f"fps is {self.fps}: give 1 to 240 frames per second.")
        if not 0 < self.seconds <= 3600:
            raise MannequinError(f"seconds is {self.seconds}: give a length of up to 3600 seconds.")
        if self.frame_count < 1:
            raise MannequinError(
                f"{self.seconds} s at {self.fps} frames per second is not one frame: give more."
            )

    @property
    def frame_count(self) -> int:
        """How many frames the video has."""
        return round(self.seconds * self.fps)


def camera_for(spec: VideoSpec) -> Camera:
    """The camera that has the whole dance in the picture."""
    height = max(_FRAME_HEIGHT, _FRAME_WIDTH * spec.height / spec.width)
    return facing(
        spec.width, spec.height, eye=(0.0, -1.6 * height, 1.3), target=(0.0, 0.0, 0.41 * height), frame=height
    )


def render_video(
    path: Path, spec: VideoSpec = VideoSpec(), progress: Callable[[int], None] | None = None
) -> Path:
    """Make the video at `path` and its labels beside it; returns the labels' path.

    The same specification gives the same labels to the bit, and on the same machine the same video.
    `progress` is called after each frame with the number of frames made. Both files take their names when
    they are complete. Raises MannequinError if `path` does not end in .mp4, and OffscreenError if there is no
    off-screen OpenGL.
    """
    if path.suffix.lower() != ".mp4":
        raise MannequinError(f"{path}: the video is written as .mp4; give a path that ends in it.")
    person = make_person(spec.shape)
    camera = camera_for(spec)
    stage = Stage(person, dress(person, spec.outfit), camera)
    places = keypoint_places(person)
    motion = Motion()
    rate = Fraction(spec.fps).limit_denominator(1001)
    times = [float(number / rate) for number in range(spec.frame_count)]
    rows = []
    labels = labels_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".making-") as folder:
        unfinished = Path(folder) / path.name
        with av.open(str(unfinished), "w") as container:
            stream = container.add_stream("libx264", rate=rate, options=_X264)
            stream.width, stream.height, stream.pix_fmt = spec.width, spec.height, "yuv420p"
            # One thread: how x264 spreads a picture over threads changes its bytes.
            stream.thread_count = 1
            for number, time in enumerate(times):
                pose = motion.pose(time)
                transforms = bone_transforms(person, bone_rotations(person, pose), np.array(pose.shift))
                picture, depth = stage.draw(transforms)
                rows.append(label_frame(camera, places.posed(transforms), depth))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
                if progress is not None:
                    progress(number + 1)
            container.mux(stream.encode(None))
        write_labels(labels_path(unfinished), times, rows)
        labels_path(unfinished).replace(labels)
        unfinished.replace(path)
    return labels
