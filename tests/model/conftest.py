"""Tests may import diffusers before anything of `model`, which makes it importable; and each of the suite's
processes has one core.
"""

import torch

import model as model

torch.set_num_threads(1)
