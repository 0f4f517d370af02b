from collections.abc import Callable

# Arrays are checked where they arrive: contiguous, of the kind each loop needs.
reach: Callable[..., int]
followed: Callable[..., int]
summed_best: Callable[..., int]
spread: Callable[..., None]
strongest: Callable[..., None]
products: Callable[..., None]
in_turns: Callable[..., int]
those_allowed: Callable[..., int]
best_places: Callable[..., int]
shares: Callable[..., None]
weighed: Callable[..., None]
fondness: Callable[..., None]
alike: Callable[..., int]
voted: Callable[..., int]
