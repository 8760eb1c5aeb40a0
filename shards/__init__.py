"""The dataset on disk: schema, writer, index, reader and the inspection commands."""
