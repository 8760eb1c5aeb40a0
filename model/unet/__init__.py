"""What both papers build on: Stable Diffusion 1.5's UNet with reference attention and motion modules."""
