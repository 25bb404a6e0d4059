"""One file a format: `PACKAGES` it needs beyond the project's own, the `SUFFIX` of its files, and what writes them."""
