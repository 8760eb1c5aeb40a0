"""HIA (Xu et al. 2024, arXiv 2409.19580): an appearance encoder and a ControlNet that sees motion blur."""
