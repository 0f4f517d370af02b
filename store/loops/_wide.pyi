from store.loops._loops import *  # noqa: F403  one source, compiled twice
