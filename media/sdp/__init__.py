"""Session descriptions: a browser's offer read, what is agreed of it, and the answer written. Pure."""
