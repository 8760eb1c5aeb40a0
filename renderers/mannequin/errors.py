"""What can go wrong when a person is made."""


class MannequinError(ValueError):
    """A request that cannot be met: what was asked, and what can be."""
