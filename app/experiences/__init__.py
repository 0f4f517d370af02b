"""Which sections a page shows a visitor, in which order, under which banner."""
