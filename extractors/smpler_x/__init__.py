"""SMPLer-X (Cai et al., NeurIPS 2023, arXiv:2309.17448): one crop of a person to the parameters of SMPL-X."""

VERSION = 1
"""Raised with every change that can change a number."""
