"""HTTP/1.1 under Hypercorn, read by httptools: the same answers for a third of the work."""
