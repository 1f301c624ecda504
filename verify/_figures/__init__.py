"""The experiments behind the figures of the first paper."""
