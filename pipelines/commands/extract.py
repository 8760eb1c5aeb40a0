"""`dancemill extract`: videos to a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from pipelines.commands.run_flow import run_flow

_PEOPLE = Parameter(group="People")
_NETWORKS = Parameter(group="Networks")


def extract(
    *inputs: str,
    out: Path,
    preset: str | None = None,
    clip_seconds: float | None = None,
    overlap_seconds: float | None = None,
    min_clip_seconds: float | None = None,
    fps: float | None = None,
    min_side: int | None = None,
    clips_per_shard: int | None = None,
    short_side: int | None = None,
    jpeg_quality: int | None = None,
    min_found: float | None = None,
    body_model: str | None = None,
    colours: Path | None = None,
    detector: Annotated[str | None, _PEOPLE] = None,
    min_person_height: Annotated[int | None, _PEOPLE] = None,
    max_people: Annotated[int | None, _PEOPLE] = None,
    min_visible: Annotated[float | None, _PEOPLE] = None,
    weights: Annotated[str | None, _NETWORKS] = None,
    wholebody: Annotated[str | None, _NETWORKS] = None,
    feet: Annotated[str | None, _NETWORKS] = None,
    body_network: Annotated[str | None, _NETWORKS] = None,
    hand_boxes: Annotated[str | None, _NETWORKS] = None,
    backend: Annotated[str | None, _NETWORKS] = None,
    flip_test: Annotated[bool | None, _NETWORKS] = None,
    compat_bgr: Annotated[bool | None, _NETWORKS] = None,
    smooth: Annotated[bool | None, _NETWORKS] = None,
    precision: Annotated[str | None, _NETWORKS] = None,
    channels_last: Annotated[bool | None, _NETWORKS] = None,
    compile: Annotated[bool | None, _NETWORKS] = None,
    batch: Annotated[int | None, _NETWORKS] = None,
    policy: str | None = None,
    workers: int = 0,
    workers_per_gpu: int = 2,
    ray_address: str | None = None,
    stall_seconds: float = 120.0,
    strict: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Extract poses from videos into a dataset, or go on with one.

    Stopped at any time, the same command finishes the rest. What is not named is as the dataset was begun, or
    by default. Exit code: 0; 1 if nothing came out (with --strict: if anything failed); 2 for a mistake in
    the command.

    Parameters
    ----------
    inputs
        Videos: files, folders, globs, or .txt lists of paths.
    out
        The dataset's folder, new or begun earlier.
    preset
        The set of extractors: embedded (the default, which needs no download), realisdance or hia.
    clip_seconds
        Length of a clip, 4 s by default.
    overlap_seconds
        How much of a clip the next one repeats, 0 by default.
    min_clip_seconds
        Shorter ends of shots, and videos, are left out; 1 s by default.
    fps
        Frames are chosen by time at up to this rate, 30 by default.
    min_side
        Videos with a shorter side than this many pixels are left out; 128 by default.
    clips_per_shard
        How many clips share a tar, 32 by default.
    short_side
        Stored frames are scaled down to it, 768 pixels by default.
    jpeg_quality
        Of stored frames, 1 to 100, 95 by default.
    min_found
        A clip is left out if a person is found in a smaller share of its frames; 0.5 by default.
    body_model
        What smpl_cs and hands are drawn from: anny (embedded) or smplx (realisdance); none leaves them out.
    colours
        A file of your own of the colours of smpl_cs (.npy, .npz or .pt); by default they are made.
    detector
        What finds people: rtmdet-m, yolox-l, faster-rcnn; none leaves it to the preset to find one a frame.
    min_person_height
        Who is lower than this many pixels of the video is left out; 128 by default.
    max_people
        Of the people of a shot so many are kept, the largest; 8 by default.
    min_visible
        A clip is left out if its person was detected in a smaller share of its frames; 0.5 by default.
    weights
        trained by default; random and random-small run untrained networks of the real and of a small size:
        for dry runs, nothing to train on.
    wholebody
        The network of the 2D keypoints: rtmpose-m, rtmpose-l, rtmpose-x, dwpose-l, or dwpose-l-onnx, which
        its authors exported; by default the preset's.
    feet
        A second one, whose feet are taken; by default the preset's.
    body_network
        smpler-x-s32, -b32, -l32 or -h32, by default the last, as RealisDance.
    hand_boxes
        How hands are cut out: as realisdance does, by default, or as hamer does.
    backend
        What runs the networks of the keypoints: torch by default, or onnx, which is faster on a CPU.
    flip_test
        Keypoints are the mean with those of the mirrored crop.
    compat_bgr
        Exchange red and blue before the networks, as common scripts do by mistake.
    smooth
        Filter boxes and surfaces along a track; what was found is kept beside.
    precision
        float32 by default; bfloat16 or float16 for GPUs.
    channels_last
        Another memory layout, faster on some GPUs.
    compile
        Compile the networks first, which takes minutes.
    batch
        Crops that a network is given at once, 16 by default.
    policy
        commercial refuses to begin where code, weights or body model may not be used commercially, or where
        that is not known.
    workers
        Processes; 0 takes one for each CPU, or as many as share the GPUs where networks run on them.
    workers_per_gpu
        So many share a GPU, 2 by default.
    ray_address
        A running Ray cluster; without it a local Ray is started.
    stall_seconds
        A worker that takes longer over one frame is ended, and its clip tried again.
    strict
        Exit with 1 if any input or clip failed.
    """
    named: dict[str, Any] = dict(locals())
    named["inputs"] = list(inputs)
    named["out"] = str(out)
    named["colours"] = None if colours is None else str(colours.resolve())
    return run_flow(named)
