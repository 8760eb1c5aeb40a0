"""RealisDance (Zhou et al. 2024, arXiv 2409.06202): a reference network and a gate over several poses."""
