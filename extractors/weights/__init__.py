"""The weights of trained networks: what they are and where from, where they lie, and how they are read."""
