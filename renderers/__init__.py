"""Numbers to images: the condition images that a model is driven by, and the made person they are tried on."""
