"""What can go wrong when a body model is loaded."""


class ModelFileError(ValueError):
    """A body model that cannot be had: which file or name, what is wrong with it, and what to do."""


class ColourFileError(ModelFileError):
    """A file of a body's colours that cannot be used: which, what is wrong with it, and what to do."""
