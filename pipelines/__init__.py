"""Videos to dataset: the Prefect flow, its stages, and the Ray workers that they lease."""
