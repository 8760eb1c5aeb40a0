"""Frames to numbers: one file per pose estimator, all behind the interface of `extractors.interface`."""
