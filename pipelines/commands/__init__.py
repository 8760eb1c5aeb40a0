"""The commands that make a dataset, one file for each."""
