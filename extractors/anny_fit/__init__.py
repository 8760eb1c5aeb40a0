"""A body with hands fitted to one person's 2D keypoints and 3D landmarks over a clip: preset `embedded`'s 3D.

`fit.py` has the steps; `rig.py` what can move, `start.py` the closed forms, `camera.py` where the camera is,
`refine.py` the refinement of the whole clip at once.
"""
