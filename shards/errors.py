"""The one kind of error that a user can cause: its message says what was wrong, where, and what to do."""


class UserError(Exception):
    """Ends a command with its message alone, no traceback, and exit code 2."""
