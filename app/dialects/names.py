"""Event names of other vocabularies -> ours (GA4's)."""

from __future__ import annotations

SEGMENT = {
    "Products Searched": "search", "Product List Viewed": "view_item_list", "Product List Filtered": "view_item_list",
    "Product Clicked": "select_item", "Product Viewed": "view_item", "Product Added": "add_to_cart",
    "Product Removed": "remove_from_cart", "Cart Viewed": "view_cart", "Checkout Started": "begin_checkout",
    "Order Completed": "purchase", "Order Refunded": "refund", "Order Cancelled": "refund",
    "Product Added to Wishlist": "add_to_wishlist", "Wishlist Product Added to Cart": "add_to_cart",
}  # fmt: skip
"""Segment's and RudderStack's e-commerce spec, v2."""

GOOGLE_RETAIL = {
    "home-page-view": "page_view", "category-page-view": "view_item_list", "detail-page-view": "view_item",
    "search": "search", "add-to-cart": "add_to_cart", "remove-from-cart": "remove_from_cart",
    "shopping-cart-page-view": "view_cart", "purchase-complete": "purchase",
}  # fmt: skip
"""`eventType` of Google's Vertex AI Search for commerce, once Retail API."""

SHOPIFY = {
    "page_viewed": "page_view", "product_viewed": "view_item", "collection_viewed": "view_item_list",
    "search_submitted": "search", "product_added_to_cart": "add_to_cart",
    "product_removed_from_cart": "remove_from_cart", "cart_viewed": "view_cart",
    "checkout_started": "begin_checkout", "checkout_completed": "purchase",
}  # fmt: skip
"""Standard events of Shopify's web pixels."""

ALGOLIA = {
    "view": "view_item_list", "click": "select_item", "conversion": "view_item", "addToCart": "add_to_cart",
    "purchase": "purchase",
    "Viewed Objects": "view_item_list", "Clicked Objects": "select_item", "Converted Objects": "view_item",
}  # fmt: skip
"""`eventSubtype`, else `eventType`, of Algolia's Insights."""

ALIASES: dict[str, str] = {
    "view_search_results": "search",  # as Google Analytics' enhanced measurement names it
    **SEGMENT, **{name: ours for name, ours in GOOGLE_RETAIL.items() if "-" in name}, **SHOPIFY,
    "addToCart": "add_to_cart", "Viewed Objects": "view_item_list", "Clicked Objects": "select_item",
}  # fmt: skip
"""Names that mean one thing whoever says them; accepted as `name` of an event."""
