"""How much each thing a visitor does says, how fast it is forgotten and how much of it is kept, per configuration."""

from typing import Annotated

import msgspec
from msgspec import Meta

Bound = Annotated[int, Meta(ge=1)]
Span = Annotated[float, Meta(gt=0)]


class EventWeights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one event says about liking its items, and so their category, brand and price; below 0: disliking."""

    page_view: float = 0.0
    view_item: float = 0.2
    view_item_list: float = 0.0
    select_item: float = 0.2
    user_engagement: float = 0.2
    """For `engaged_seconds` spent on the item's page; less time counts in proportion, more counts no more."""
    search: float = 0.4
    """Spread over what the search text meant."""
    add_to_cart: float = 0.6
    add_to_wishlist: float = 0.6
    remove_from_cart: float = -0.4
    view_cart: float = 0.0
    begin_checkout: float = 0.0
    purchase: float = 1.0
    """From the vault, in memory, for the request: purchases never become stored features."""
    refund: float = -1.0
    """From the vault as well."""
    dismiss_item: float = -0.4


class FeatureOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Forgetting and bounds of what is kept about one visitor."""

    weights: EventWeights = EventWeights()
    idle_minutes: Span = 30.0
    """A visit ends when nothing happened for so long."""
    half_life_days: Span = 30.0
    """After so long a feature of the profile counts half."""
    purchase_half_life_days: Span = 90.0
    """After so long a purchase counts half."""
    dismissed_days: Span = 90.0
    """How long a dismissed item stays away."""
    engaged_seconds: Span = 30.0
    session_items: Bound = 50
    session_affinities: Bound = 64
    profile_items: Bound = 100
    profile_affinities: Bound = 64
    dismissed_items: Bound = 100
    extra_features: Bound = 64
    """Features of plugins."""
