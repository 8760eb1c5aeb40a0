"""What `dancemill doctor` tries out in a process of its own, where it may take long, print, or crash: small
pieces of the real work, each importing only what that needs.

`python -m pipelines.probes NAME [ARGUMENT ...]` prints one line of JSON: what was found, or the error.
"""

from __future__ import annotations

import io
import json
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np

_SIDE = 64
"""Pixels of the small pictures that are drawn and looked at."""


class NotWorkingError(Exception):
    """It runs, and what comes out is wrong."""


def multiply() -> str:
    """A product of matrices by torch."""
    import torch

    if not bool((torch.eye(8) @ torch.ones(8, 8) == 1).all()):
        raise NotWorkingError("a product of matrices is wrong")
    return f"torch {torch.__version__}"


def count_on_gpus() -> str:
    """The GPUs that torch can count on; empty where there is none."""
    import torch

    names = []
    for number in range(torch.cuda.device_count()):
        if torch.ones(8, device=f"cuda:{number}").sum().item() != 8:
            raise NotWorkingError(f"GPU {number} adds up wrongly")
        names.append(torch.cuda.get_device_name(number))
    return ", ".join(names)


def decode() -> str:
    """A video that is made in memory, by PyAV."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", 25)
        stream.width = stream.height = _SIDE
        for number in range(8):
            picture = np.full((_SIDE, _SIDE, 3), 30 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file, "r") as container:
        means = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    if len(means) != 8 or np.abs(means - 30.0 * np.arange(8)).max() > 10:
        raise NotWorkingError("a video's frames are not those that were put into it")
    absent = {"h264", "hevc", "vp9", "av1"} - av.codecs_available
    if absent:
        raise NotWorkingError(f"this PyAV cannot decode {', '.join(sorted(absent))}")
    return f"PyAV {av.__version__}, with h264, hevc, vp9 and av1"


def draw() -> str:
    """A triangle, off screen."""
    from renderers.lit_meshes import Look, PosedMesh, draw_meshes
    from renderers.offscreen import choose_platform, drawing

    platform = choose_platform()
    corners = np.array([[-1.0, -1.0, 2.0], [1.0, -1.0, 2.0], [0.0, 1.0, 2.0]])
    triangle = PosedMesh(corners, np.array([[0, 1, 2], [0, 2, 1]]), np.full((3, 3), 255, np.uint8))
    K = np.array([[_SIDE, 0, _SIDE / 2], [0, _SIDE, _SIDE / 2], [0, 0, 1.0]])
    image, mask = draw_meshes([triangle], Look(smooth=False, ambient=1.0, directions=()), K, (_SIDE, _SIDE))
    if not (0.45 < mask.mean() < 0.55 and image[mask].all() and not image[~mask].any()):
        raise NotWorkingError(f"{platform} draws something else than it is asked to")
    with drawing(_SIDE, _SIDE):
        from OpenGL.GL import GL_RENDERER, glGetString

        return f"{platform} on {glGetString(GL_RENDERER).decode()}"


def look_for_a_person() -> str:
    """A frame without anybody, seen by MediaPipe."""
    from extractors.interface import Frame
    from extractors.mediapipe_holistic import MediaPipeHolistic

    extractor = MediaPipeHolistic()
    (pose,) = extractor.extract([Frame(0, 0.0, np.zeros((_SIDE, _SIDE, 3), np.uint8))])
    if pose.body_valid:
        raise NotWorkingError("it sees a person in a black picture")
    return f"{extractor.lineage.package}, with {len(extractor.lineage.weights)} models"


def import_networks() -> str:
    """mmpose and mmdet, as their networks are made, and what joins people's boxes to tracks."""
    from extractors.openmmlab.environment import prepare

    prepare()
    modules = {"trackers": "trackers", "mmpose": "mmpose.apis", "mmdet": "mmdet.apis"}
    return ", ".join(_imported(package, module) for package, module in modules.items())


def list_providers() -> str:
    """On what ONNX Runtime can run networks."""
    import onnxruntime

    providers = [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]
    return f"onnxruntime {onnxruntime.__version__} on {', '.join(providers)}"


def import_ray() -> str:
    """Ray, imported alone."""
    return _imported("ray", "ray")


def start_ray() -> str:
    """A task on a Ray cluster of this process's own."""
    import ray

    def four() -> int:
        return 2 + 2

    ray.init(
        address="local",
        num_cpus=1,
        include_dashboard=False,
        object_store_memory=10**8,
        log_to_driver=False,
    )
    try:
        if ray.get(ray.remote(four).remote(), timeout=60) != 4:
            raise NotWorkingError("a task gives another result than it should")
    finally:
        ray.shutdown()
    return f"ray {version('ray')}, started and stopped"


def import_prefect() -> str:
    """Prefect, as the flow imports it."""
    return _imported("prefect", "prefect.flows")


def load_body_models(folder: str) -> str:
    """The user's own files of SMPL-X and MANO."""
    from renderers.body_models.load import load_body_model

    models = [load_body_model(name, Path(folder)) for name in ("smplx", "mano")]
    return ", ".join(f"{model.name} with {len(model.joint_names)} joints" for model in models)


def look_into_weights(*names: str) -> str:
    """What is wrong with the files of these weights; empty if nothing is."""
    from extractors.weights.store import problem_of

    return "; ".join(f"{name} {problem}" for name in names if (problem := problem_of(name)))


def _imported(package: str, module: str) -> str:
    import_module(module)
    return f"{package} {version(package)}"


_PROBES = (
    multiply,
    count_on_gpus,
    decode,
    draw,
    look_for_a_person,
    import_networks,
    list_providers,
    import_ray,
    start_ray,
    import_prefect,
    load_body_models,
    look_into_weights,
)


def main(name: str, *arguments: str) -> None:
    """Run the probe of this name."""
    by_name = {probe.__name__: probe for probe in _PROBES}
    try:
        outcome = {"found": by_name[name](*arguments)}
    except Exception as error:
        outcome = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(outcome))


if __name__ == "__main__":
    main(*sys.argv[1:])
