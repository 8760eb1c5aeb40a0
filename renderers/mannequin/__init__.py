"""A made person: an animated, dressed body on video, with the true place of every keypoint in every frame
beside it.

It is the input of the demo and the ground truth of tests. The body is Anny's (Apache-2.0 code, CC0 data);
clothes, motion, room and labels are made here.
"""
