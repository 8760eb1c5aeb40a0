"""The 133 keypoints by RTMPose (Jiang et al., arXiv 2303.07399) and DWPose (Yang et al., ICCV-W 2023).

In a person's box, from the top down: crops, the network's distributions over x and y, and their peaks.
"""

VERSION = 1
"""Raised with every change of this package that can change a number."""
