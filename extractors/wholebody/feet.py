"""HIA's keypoints (appendix A.4): RTMPose's, with the feet of DWPose, which finds them more reliably."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from renderers.wholebody import FEET


def with_feet(
    keypoints: Float[np.ndarray, "*people 133 2"],
    confidence: Float[np.ndarray, "*people 133"],
    feet_keypoints: Float[np.ndarray, "*people 133 2"],
    feet_confidence: Float[np.ndarray, "*people 133"],
) -> tuple[Float[np.ndarray, "*people 133 2"], Float[np.ndarray, "*people 133"]]:
    """The first network's points but for toes and heels, which with their confidence are the second's. The
    ankles are points of the body, and stay.
    """
    keypoints, confidence = keypoints.copy(), confidence.copy()
    keypoints[..., FEET, :] = feet_keypoints[..., FEET, :]
    confidence[..., FEET] = feet_confidence[..., FEET]
    return keypoints, confidence
