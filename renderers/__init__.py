"""Numbers to images: the condition images that drive a model, and the made person they are tried on."""
