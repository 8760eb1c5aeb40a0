"""What can go wrong with the weights of networks."""


class WeightsError(Exception):
    """Weights that cannot be had or used: which, what is wrong with them, and what to do."""
