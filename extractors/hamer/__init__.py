"""HaMeR (Pavlakos et al., CVPR 2024): a hand's surface from a crop of the image around it."""

VERSION = 1
"""Raised with every change that can change a number."""
