"""The two animation models, RealisDance and HIA: networks, diffusion, and their published weights."""

from extractors.torchvision_operators import declare_missing

declare_missing()  # diffusers and transformers import torchvision
