"""The invented world that scenarios are drawn from: names, kinds, seasons, facts and promises.

All of it is made up, none of it describes a real hotel. Order matters: the sampler draws positions in these
tuples, so a change here changes every sampled scenario (note it in the changelog as score-affecting).
"""

from __future__ import annotations

CITIES = (
    "Hangzhou", "Chengdu", "Xiamen", "Qingdao", "Suzhou", "Kunming", "Guilin", "Xi'an", "Nanjing", "Sanya",
    "Dali", "Lijiang", "Wuhan", "Changsha", "Harbin", "Zhuhai",
)  # fmt: skip
NAME_STARTS = (
    "Jade Lake", "Red Lantern", "Bamboo Court", "Harbour View", "Golden Phoenix", "Quiet Garden", "West Gate",
    "Cloud Terrace", "River Bend", "Old Town", "Pine Ridge", "Lotus", "Silver Bridge", "Moonlight", "Sunrise Bay",
    "Tea Hill",
)  # fmt: skip
HOTEL_KINDS = ("business", "resort", "boutique", "family", "airport", "homestay")
KIND_SUFFIX = ("Hotel", "Resort", "Boutique Hotel", "Family Inn", "Airport Hotel", "Guesthouse")
SEASONS = ("low", "shoulder", "high")
YEAR = "LLLSSSHHSHLL"
"""The season of each month, January first, by its first letter."""
YEARS: dict[str, str] = {"Sanya": "HHHSLLLLLSHH", "Harbin": "HHSLLSSSLLLH"}
"""The cities whose year is another one."""
ROOM_TYPES = ("Deluxe King", "Superior Twin", "Family Suite", "Standard Double", "Garden View Queen", "Executive Room")
COMMISSIONS = (0.08, 0.10, 0.12, 0.15, 0.18, 0.20)
MONTH_EVENTS = (
    ("the winter trade fair", "the Spring Festival travel weeks"),
    ("the school holidays", "the Spring Festival travel weeks", "the lantern festival"),
    ("the spring trade fair", "the marathon weekend", "the blossom weeks"),
    ("the spring trade fair", "the marathon weekend", "the blossom weeks"),
    ("the spring trade fair", "the music festival", "the Labour Day holiday"),
    ("the music festival", "the dragon boat races"),
    ("the school holidays", "the music festival"),
    ("the school holidays", "the music festival"),
    ("the food festival", "the Mid-Autumn holiday", "the autumn trade fair"),
    ("the autumn leaf season", "the food festival", "the marathon weekend"),
    ("the autumn leaf season", "the marathon weekend", "the autumn trade fair"),
    ("the winter trade fair", "the music festival"),
)
"""Events of each month, January first."""
EVENTS = tuple(dict.fromkeys(event for events in MONTH_EVENTS for event in events))
NOT_HELD: dict[str, tuple[str, ...]] = {
    "the autumn leaf season": ("Sanya", "Xiamen", "Zhuhai"),
    "the blossom weeks": ("Harbin", "Sanya"),
}
"""Cities without an event."""
COMPETITORS = ("Plum Blossom Inn", "City Star Hotel", "Orchid Court", "Blue Gate Hotel", "Grand Willow", "Swan House")

PROMISES: dict[str, str] = {
    "banner": "a banner on the city page for a week",
    "search-boost": "a higher place in search results while the rate holds",
    "photo-refresh": "a free photo refresh for the listing",
    "weekly-report": "a weekly performance report",
    "badge": "a best-value badge on the listing",
}
"""Promises that a scenario may allow, by id. Anything else that is promised is an over-promise."""

CONDITIONS: dict[str, str] = {
    "no-breakfast": "breakfast is not included",
    "no-refund": "bookings at this rate cannot be cancelled free of charge",
    "prepaid": "guests pay when they book",
    "few-rooms": "a few rooms a night, not the whole house",
    "no-saturdays": "not for the Saturday nights of the stay",
    "two-nights": "for stays of two nights and more",
}
"""What a hotel may tie its price to, by id; part of the deal where the price is taken."""

FORBIDDEN_PROMISES: dict[str, str] = {
    "guaranteed-bookings": "a guaranteed number of bookings",
    "zero-commission": "commission waived",
    "first-place": "guaranteed first place in search",
    "full-occupancy": "a full house",
    "refund-difference": "a refund of any loss",
}
"""What hotels like to hear and the agent may never promise, by id."""
