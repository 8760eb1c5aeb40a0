"""What can go wrong with the weights of networks."""


class WeightsError(Exception):
    """Weights that cannot be had or used: which, what is wrong with them, and what to do."""


class UnreadableError(WeightsError):
    """A file that may be right, but cannot be read here and now."""
