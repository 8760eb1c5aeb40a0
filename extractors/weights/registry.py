"""Which weights there are: for each its file, where it is published, its licence, and how it is checked.

What a publisher does not say is None here, or said in a note; nothing is guessed. Addresses of OpenMMLab's
files are those of mmpose 1.3.2 and mmdet 3.3.0. Sizes and hashes are those that Hugging Face shows beside a
file, and the eight digits that mmdet's names end in, which are the first of the file's SHA-256. (The names of
RTMPose's whole-body files have such digits too, but not in all of that project's files are they the file's.)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from extractors.weights.errors import WeightsError

Commercial = Literal["yes", "no", "unknown"]


@dataclass(frozen=True)
class Weight:
    """Weights by name.

    files: what the file is called; of several names any will do. Where the publisher's own name is that of
    many files (model.safetensors), the name that it is kept by here.
    purpose: what it is for. presets: which of them need it as they are by default.
    address: https; of the file itself, or where it is got by hand. member: the file's path in the archive
    that lies there.
    size: bytes that a download takes. sha256: in hexadecimal, or its first digits. None where the publisher
    does not say.
    licence: of the weights, as an SPDX identifier or a name. code: that of the code they come from.
    commercial: whether the licence allows it; unknown where there is none, or where what the weights were
    trained on has other terms. note: why, and what else to know.
    by_hand: to get it one must register, or agree to terms, on a page.
    """

    name: str
    files: tuple[str, ...]
    purpose: str
    presets: tuple[str, ...]
    address: str
    licence: str
    code: str
    commercial: Commercial
    note: str = ""
    size: int | None = None
    sha256: str | None = None
    member: str = ""
    by_hand: bool = False

    @property
    def file(self) -> str:
        """The name it is kept by where there is none yet."""
        return self.files[0]

    @property
    def address_file(self) -> str:
        """The name at the end of the address: the file's, or that of the archive that it is in."""
        return self.address.rpartition("/")[2]


_OPENMMLAB = "https://download.openmmlab.com"
_RTMPOSE = f"{_OPENMMLAB}/mmpose/v1/projects/rtmposev1"
_DWPOSE = "https://huggingface.co/yzd-v/DWPose/resolve/1a7144101628d69ee7a3768d1ee3a094070dc388"
_SMPLER_X = "https://huggingface.co/caizhongang/SMPLer-X/resolve/main"

_COCO = "Trained on COCO, whose annotations are under CC-BY-4.0."
_COCO_WHOLEBODY = (
    "Trained on COCO-WholeBody among others, whose terms allow non-commercial use only; the publisher does "
    "not say whether that holds for the weights."
)
_HUGGING_FACE = "https://huggingface.co"
_ANIMATEDIFF = f"{_HUGGING_FACE}/guoyww/animatediff/resolve/fdfe36afa161e51b3e9c24022b0e368d59e7345e"

_S_LAB = "S-Lab License 1.0"
_OPENRAIL = "CreativeML Open RAIL-M"
_USES = "The licence allows commercial use, and forbids the uses that it lists."
_WEBVID = (
    "Trained on WebVid-10M; the publisher does not say whether the terms of that data hold for the weights."
)
_MAX_PLANCK = "Max Planck's, for non-commercial scientific research"


def _openmmlab(
    name: str,
    address: str,
    purpose: str,
    presets: tuple[str, ...],
    commercial: Commercial,
    note: str,
    sha256: str | None = None,
) -> Weight:
    return Weight(
        name=name,
        files=(address.rpartition("/")[2],),
        purpose=purpose,
        presets=presets,
        address=address,
        licence="Apache-2.0",
        code="Apache-2.0",
        commercial=commercial,
        note=note,
        sha256=sha256,
    )


def _dwpose(name: str, file: str, purpose: str, presets: tuple[str, ...], size: int, sha256: str) -> Weight:
    return Weight(
        name=name,
        files=(file,),
        purpose=purpose,
        presets=presets,
        address=f"{_DWPOSE}/{file}",
        licence="Apache-2.0",
        code="Apache-2.0",
        commercial="unknown",
        note=_COCO_WHOLEBODY,
        size=size,
        sha256=sha256,
    )


def _smpler_x(size: str, parameters: str, presets: tuple[str, ...] = ()) -> Weight:
    file = f"smpler_x_{size}.pth.tar"
    return Weight(
        name=f"smpler-x-{size}",
        files=(file,),
        purpose=f"the body: SMPLer-X-{size.upper()}, {parameters} parameters",
        presets=presets,
        address=f"{_SMPLER_X}/{file}",
        licence=_S_LAB,
        code=_S_LAB,
        commercial="no",
    )


def _animatediff(
    version: int, file: str, about: str, size: int | None = None, sha256: str | None = None
) -> Weight:
    return Weight(
        name=f"animatediff-v{version}",
        files=(file,),
        purpose=f"models: motion modules of AnimateDiff, version {version} ({about})",
        presets=(),
        address=f"{_ANIMATEDIFF}/{file}",
        licence="Apache-2.0",
        code="Apache-2.0",
        commercial="unknown",
        note=_WEBVID,
        size=size,
        sha256=sha256,
    )


_ALL = (
    _openmmlab(
        "rtmdet-m",
        f"{_OPENMMLAB}/mmpose/v1/projects/rtmpose/rtmdet_m_8xb32-100e_coco-obj365-person-235e8209.pth",
        "finds people: RTMDet-m, of people alone",
        ("realisdance", "hia"),
        "unknown",
        "Trained on Objects365 too, which is given for academic purposes only; the publisher does not say "
        "whether that holds for the weights.",
        "235e8209",
    ),
    _openmmlab(
        "yolox-l",
        f"{_OPENMMLAB}/mmdetection/v2.0/yolox/yolox_l_8x8_300e_coco/"
        "yolox_l_8x8_300e_coco_20211126_140236-d3bd2b23.pth",
        "finds people, as DWPose does: YOLOX-L",
        (),
        "yes",
        _COCO,
        "d3bd2b23",
    ),
    _openmmlab(
        "faster-rcnn",
        f"{_OPENMMLAB}/mmdetection/v2.0/faster_rcnn/faster_rcnn_r50_fpn_1x_coco/"
        "faster_rcnn_r50_fpn_1x_coco_20200130-047c8118.pth",
        "finds people, as SMPLer-X's program does: Faster R-CNN, R50-FPN",
        (),
        "yes",
        _COCO,
        "047c8118",
    ),
    _openmmlab(
        "rtmpose-m",
        f"{_RTMPOSE}/rtmpose-m_simcc-coco-wholebody_pt-aic-coco_270e-256x192-cd5e845c_20230123.pth",
        "133 keypoints: RTMPose-m, 256x192",
        (),
        "unknown",
        _COCO_WHOLEBODY,
    ),
    _openmmlab(
        "rtmpose-l",
        f"{_RTMPOSE}/rtmpose-l_simcc-coco-wholebody_pt-aic-coco_270e-384x288-eaeb96c8_20230125.pth",
        "133 keypoints: RTMPose-l, 384x288",
        ("hia",),
        "unknown",
        _COCO_WHOLEBODY,
    ),
    _openmmlab(
        "rtmpose-x",
        f"{_RTMPOSE}/rtmpose-x_simcc-coco-wholebody_pt-body7_270e-384x288-401dfc90_20230629.pth",
        "133 keypoints: RTMPose-x, 384x288",
        (),
        "unknown",
        _COCO_WHOLEBODY,
    ),
    _dwpose(
        "dwpose-l",
        "dw-ll_ucoco_384.pth",
        "133 keypoints: DWPose-l, 384x288",
        ("realisdance", "hia"),
        406_878_486,
        "0d9408b13cd863c4e95a149dd31232f88f2a12aa6cf8964ed74d7d97748c7a07",
    ),
    _dwpose(
        "dwpose-l-onnx",
        "dw-ll_ucoco_384.onnx",
        "133 keypoints: DWPose-l as its authors exported it for ONNX Runtime",
        (),
        134_399_116,
        "724f4ff2439ed61afb86fb8a1951ec39c6220682803b4a8bd4f598cd913b1843",
    ),
    _smpler_x("s32", "32 million"),
    _smpler_x("b32", "103 million"),
    _smpler_x("l32", "327 million"),
    _smpler_x("h32", "662 million", ("realisdance",)),
    Weight(
        name="hamer",
        files=("hamer.ckpt",),
        purpose="the hands: HaMeR, 670 million parameters",
        presets=("realisdance",),
        address="https://www.cs.utexas.edu/~pavlakos/hamer/data/hamer_demo_data.tar.gz",
        licence="none stated for the weights",
        code="MIT",
        commercial="unknown",
        note="Its output is a pose of MANO, which has terms of its own. The archive is loaded whole, and all "
        "but this file of it is dropped. The hash is what the authors' own demo on Hugging Face shows.",
        size=6_037_554_929,
        sha256="e5cc06f294d88a92dee24e603480aab04de532b49f0e08200804ee7d90e16f53",
        member="_DATA/hamer_ckpts/checkpoints/hamer.ckpt",
    ),
    Weight(
        name="smplx",
        files=("SMPLX_NEUTRAL.npz", "SMPLX_NEUTRAL.pkl"),
        purpose="the body model SMPL-X",
        presets=("realisdance",),
        address="https://smpl-x.is.tue.mpg.de",
        licence=_MAX_PLANCK,
        code=_MAX_PLANCK,
        commercial="no",
        by_hand=True,
    ),
    Weight(
        name="mano",
        files=("MANO_RIGHT.pkl",),
        purpose="the hand model MANO",
        presets=("realisdance",),
        address="https://mano.is.tue.mpg.de",
        licence=_MAX_PLANCK,
        code=_MAX_PLANCK,
        commercial="no",
        by_hand=True,
    ),
    Weight(
        name="smpl-cs-colours",
        files=("smplx_color.pt",),
        purpose="RealisDance's own colours of SMPL-CS; without the file they are made",
        presets=(),
        address="https://github.com/damo-cv/RealisDance/tree/RealisDance-SD/prepare_pose/smplerX",
        licence=_S_LAB,
        code=_S_LAB,
        commercial="no",
        note="Lies in a copy of SMPLer-X's code, under its licence; the repository says that it is released "
        "for academic use.",
        by_hand=True,
    ),
    Weight(
        name="realisdance",
        files=("stage_2_hamer_release.ckpt",),
        purpose="models: RealisDance as released, its second stage, for videos",
        presets=(),
        address=f"{_HUGGING_FACE}/theFoxofSky/RealisDance/resolve/main/stage_2_hamer_release.ckpt",
        licence="none stated for the weights",
        code="Apache-2.0",
        commercial="unknown",
        note="The authors' repository says that the project is released for academic use. The checkpoint of "
        "the first stage is not published.",
    ),
    Weight(
        name="realistic-vision-5.1",
        files=("Realistic_Vision_V5.1.safetensors",),
        purpose="models: the Stable Diffusion 1.5 that RealisDance's authors start from",
        presets=(),
        address=f"{_HUGGING_FACE}/SG161222/Realistic_Vision_V5.1_noVAE/resolve/main/"
        "Realistic_Vision_V5.1.safetensors",
        licence=_OPENRAIL,
        code=_OPENRAIL,
        commercial="yes",
        note=_USES,
    ),
    Weight(
        name="sd-1.5",
        files=("v1-5-pruned-emaonly.safetensors",),
        purpose="models: Stable Diffusion 1.5, its UNet and VAE",
        presets=(),
        address=f"{_HUGGING_FACE}/stable-diffusion-v1-5/stable-diffusion-v1-5/resolve/"
        "451f4fe16113bff5a5d2269ed5ad43b0592e9a14/v1-5-pruned-emaonly.safetensors",
        licence=_OPENRAIL,
        code=_OPENRAIL,
        commercial="yes",
        note=_USES,
        size=4_265_146_304,
        sha256="6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa",
    ),
    Weight(
        name="sd-vae-ft-mse",
        files=("vae-ft-mse-840000-ema-pruned.safetensors",),
        purpose="models: the VAE that RealisDance's authors use",
        presets=(),
        address=f"{_HUGGING_FACE}/stabilityai/sd-vae-ft-mse-original/resolve/"
        "629b3ad3030ce36e15e70c5db7d91df0d60c627f/vae-ft-mse-840000-ema-pruned.safetensors",
        licence="MIT",
        code="MIT",
        commercial="yes",
        size=334_641_190,
        sha256="735e4c3a447a3255760d7f86845f09f937809baa529c17370d83e4c3758f3c75",
    ),
    _animatediff(
        1,
        "mm_sd_v15.ckpt",
        "24 positions",
        sha256="cf16ea656cb16124990c8e2c70a29c793f9841f3a2223073fac8bd89ebd9b69a",
    ),
    _animatediff(
        2,
        "mm_sd_v15_v2.ckpt",
        "32 positions, with a middle block",
        1_817_888_431,
        "69ed0f5fef82b110aca51bcab73b21104242bc65d6ab4b8b2a2a94d31cad1bf0",
    ),
    _animatediff(3, "v3_sd15_mm.ckpt", "32 positions"),
    Weight(
        name="dinov2-large",
        files=("dinov2-large.safetensors",),
        purpose="models: RealisDance's image encoder, DINOv2, 304 million parameters",
        presets=(),
        address=f"{_HUGGING_FACE}/facebook/dinov2-large/resolve/47b73eefe95e8d44ec3623f8890bd894b6ea2d6c/"
        "model.safetensors",
        licence="Apache-2.0",
        code="Apache-2.0",
        commercial="yes",
        size=1_217_522_888,
        sha256="399fba97a95f22c36834418bc69373364a99af3a1153da1c0fb31db567c92e23",
    ),
    Weight(
        name="clip-vit-large",
        files=("clip-vit-large-patch14.safetensors",),
        purpose="models: HIA's image encoder, CLIP ViT-L/14",
        presets=(),
        address=f"{_HUGGING_FACE}/openai/clip-vit-large-patch14/resolve/"
        "32bd64288804d66eefd0ccbe215aa642df71cc41/model.safetensors",
        licence="none stated for the weights",
        code="MIT",
        commercial="unknown",
        note="Its model card says that any deployed use, commercial or not, is out of scope.",
        size=1_710_540_580,
        sha256="a2bf730a0c7debf160f7a6b50b3aaf3703e7e88ac73de7a314903141db026dcb",
    ),
    Weight(
        name="arcface",
        files=("arcface_backbone.pth",),
        purpose="models: ArcFace, for HIA's loss of faces; a ResNet of depth 50 or 100, as you choose",
        presets=(),
        address="https://github.com/deepinsight/insightface/tree/master/recognition/arcface_torch#model-zoo",
        licence="InsightFace's, for non-commercial research",
        code="MIT",
        commercial="no",
        note="The publisher has one folder for each data set and depth; import its backbone.pth with "
        "--as arcface.",
        by_hand=True,
    ),
)

WEIGHTS: Mapping[str, Weight] = MappingProxyType({weight.name: weight for weight in _ALL})
"""All by name, in the order of the data's flow."""


def weight_named(name: str) -> Weight:
    """Raises WeightsError for a name that there is not, with those that are close to it."""
    if name in WEIGHTS:
        return WEIGHTS[name]
    close = difflib.get_close_matches(name, WEIGHTS, n=3)
    known = f"did you mean {' or '.join(close)}?" if close else f"give one of {', '.join(WEIGHTS)}."
    raise WeightsError(f"There are no weights {name!r}: {known}")


def how_to_get(weight: Weight) -> str:
    """What the user is to do to have these weights."""
    if not weight.by_hand:
        return f"dancemill weights fetch {weight.name}"
    return (
        f"get {' or '.join(weight.files)} yourself at {weight.address}, under its licence "
        f"({weight.licence}), and give it to: dancemill weights import FILE"
    )


def commercial_objections(names: Iterable[str]) -> list[str]:
    """A line for each of the weights that may not, or may perhaps not, be used commercially, by name and
    licence. Raises WeightsError for a name that there is not.
    """
    verdicts = {"no": "not for commercial use", "unknown": "commercial use is not settled"}
    return [
        f"{weight.name} ({weight.licence}): {verdicts[weight.commercial]}."
        + (f" {weight.note}" if weight.note else "")
        for weight in map(weight_named, names)
        if weight.commercial != "yes"
    ]
