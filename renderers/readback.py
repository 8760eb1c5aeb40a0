"""pyrender's renderer with a choice of what is drawn and read back.

pyrender draws every picture with four samples a pixel, and reads its colour and its depth; both take longer
than drawing a person. Three flags beside pyrender's own leave out what is not wanted. Import this module
after `renderers.offscreen.choose_platform`, as it imports pyrender.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from OpenGL import GL
from pyrender.renderer import Renderer

ONE_SAMPLE = 1 << 16
"""One sample a pixel, at its centre."""
COLOUR_ONLY = 1 << 17
"""The colour as RGBA and no depth: (colour, None)."""
RAW_DEPTH = 1 << 18
"""The colour as RGBA, and the depth buffer as it is: 0 at the near plane, 1 at the far plane and beyond."""


class ReadbackRenderer(Renderer):  # type: ignore[misc]
    """Draws as pyrender does, but for the three flags above."""

    def _configure_forward_pass_viewport(self, flags: int) -> None:
        super()._configure_forward_pass_viewport(flags)
        if flags & ONE_SAMPLE:
            GL.glBindFramebuffer(GL.GL_DRAW_FRAMEBUFFER, self._main_fb)

    def _read_main_framebuffer(self, scene: Any, flags: int) -> Any:
        if not flags & (COLOUR_ONLY | RAW_DEPTH):
            return super()._read_main_framebuffer(scene, flags)
        width, height = self._main_fb_dims
        if not flags & ONE_SAMPLE:
            GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, self._main_fb_ms)
            GL.glBindFramebuffer(GL.GL_DRAW_FRAMEBUFFER, self._main_fb)
            buffers = GL.GL_COLOR_BUFFER_BIT | (GL.GL_DEPTH_BUFFER_BIT if flags & RAW_DEPTH else 0)
            GL.glBlitFramebuffer(0, 0, width, height, 0, 0, width, height, buffers, GL.GL_NEAREST)
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, self._main_fb)
        colour = np.frombuffer(
            GL.glReadPixels(0, 0, width, height, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE), np.uint8
        ).reshape(height, width, 4)[::-1]
        if flags & COLOUR_ONLY:
            return colour, None
        depth = np.frombuffer(
            GL.glReadPixels(0, 0, width, height, GL.GL_DEPTH_COMPONENT, GL.GL_FLOAT), np.float32
        ).reshape(height, width)[::-1]
        return colour, depth
