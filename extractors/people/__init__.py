"""Who is in a video: people are detected in single frames (mmdet), and followed through a shot (OC-SORT)."""

VERSION = 1
"""Raised with every change of this package that can change a number."""
