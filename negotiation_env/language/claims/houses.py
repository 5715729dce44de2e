"""Claims about names: the hotel that is addressed, its city, and the competitor."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from negotiation_env.game import world
from negotiation_env.language.claims.rooms import RoomMention
from negotiation_env.language.claims.talk import Claim, Talk

_CITIES: Final = (
    *world.CITIES, "Beijing", "Shanghai", "Guangzhou", "Shenzhen", "Chongqing", "Tianjin", "Xian", "Ningbo", "Wuxi",
    "Dalian", "Shenyang", "Changchun", "Jinan", "Yantai", "Weihai", "Fuzhou", "Quanzhou", "Nanchang", "Hefei",
    "Huangshan", "Zhengzhou", "Luoyang", "Kaifeng", "Taiyuan", "Pingyao", "Datong", "Shijiazhuang", "Qinhuangdao",
    "Hohhot", "Lanzhou", "Dunhuang", "Xining", "Yinchuan", "Urumqi", "Lhasa", "Guiyang", "Zunyi", "Nanning", "Beihai",
    "Yangshuo", "Haikou", "Zhangjiajie", "Foshan", "Dongguan", "Macau", "Hong Kong", "Shantou", "Wenzhou", "Shaoxing",
    "Yangzhou", "Xuzhou", "Zhoushan", "Leshan", "Xishuangbanna", "Jinghong", "Changzhou", "Nantong", "Taipei",
)  # fmt: skip
_CHINESE_CITIES: Final = {
    "杭州": "Hangzhou", "成都": "Chengdu", "厦门": "Xiamen", "青岛": "Qingdao", "苏州": "Suzhou", "昆明": "Kunming",
    "桂林": "Guilin", "西安": "Xi'an", "南京": "Nanjing", "三亚": "Sanya", "大理": "Dali", "丽江": "Lijiang",
    "武汉": "Wuhan", "长沙": "Changsha", "哈尔滨": "Harbin", "珠海": "Zhuhai", "北京": "Beijing", "上海": "Shanghai",
    "广州": "Guangzhou", "深圳": "Shenzhen", "重庆": "Chongqing", "天津": "Tianjin", "大连": "Dalian", "海口": "Haikou",
    "宁波": "Ningbo", "无锡": "Wuxi", "沈阳": "Shenyang", "长春": "Changchun", "济南": "Jinan", "烟台": "Yantai",
    "福州": "Fuzhou", "泉州": "Quanzhou", "漳州": "Zhangzhou", "南昌": "Nanchang", "合肥": "Hefei", "郑州": "Zhengzhou",
    "洛阳": "Luoyang", "太原": "Taiyuan", "兰州": "Lanzhou", "贵阳": "Guiyang", "南宁": "Nanning", "北海": "Beihai",
    "阳朔": "Yangshuo", "佛山": "Foshan", "东莞": "Dongguan", "澳门": "Macau", "香港": "Hong Kong", "温州": "Wenzhou",
    "绍兴": "Shaoxing", "扬州": "Yangzhou", "拉萨": "Lhasa", "乐山": "Leshan", "景洪": "Jinghong",
}  # fmt: skip
_LODGING: Final = ("hotel", "inn", "guesthouse", "guest house", "resort", "lodge", "hostel", "homestay", "motel",
                   "apartments", "residence", "boutique", "family", "airport")  # fmt: skip
_TELLING: Final = frozenset(
    ("inn", "guesthouse", "resort", "lodge", "hostel", "homestay", "airport", "boutique", "family")
)
"""Words of a name that contradict another kind of house; "hotel" is said of all of them."""
_LODGING_TAIL: Final = rf"(?: (?:{'|'.join(_LODGING)})\b)*"
_GENERIC: Final = re.compile(
    r"\b((?:[A-Z][a-z]+ ){1,3})(Hotel|Inn|Guesthouse|Resort|Lodge|Hostel|Homestay|Apartments|Residence)\b"
)
_OWN_HOUSE_BEFORE: Final = re.compile(
    r"(?:\b(?:dear|hello|hi|morning|evening|afternoon|speaking (?:to|with)|is (?:that|this|it)|"
    r"calling about|your|welcome to|"
    r"here at|mr \w+ of|mrs \w+ of|ms \w+ of|right at|on behalf of|you own)|[0-9]{3,4} for)\W+(?:the |a )?$"
)
_ALONE_BEFORE: Final = re.compile(r"\b(?:the|your|at|of|for) $")
"""What stands before a house's name of one word ("the Lotus"), which else may be a flower."""
_OWN_HOUSE_AFTER: Final = re.compile(r" team\b|,? isn't it| could do| do on\b| i'd put|,? naturally")
_FOR_HOUSE: Final = re.compile(r"(?:\bfor|\byou own|\b(?:what|which|how) [a-z ]{0,20}) (?:the )?$")
_HOUSE_ROOM: Final = re.compile(r"(?:'s|,) (?:the |a )?(?:[a-z]+ ){0,2}$")
_LOCAL: Final = re.compile(
    r"\b(?:search(?:es|ed|ing)?|look(?:s|ing|ed)?|people|demand|interest|travell?ers|visitors|tourists|"
    r"guests|bound|trips?)"
    r"(?: [a-z']+){0,3} (?:for|to|in|of) (?:the )?$|搜$|[您你店]们?(?:家)?在$"
)
_HERE: Final = re.compile(
    rf"\b(?:your|the|this|that) (?:[a-z]+ ){{0,3}}(?:{'|'.join(_LODGING)}|house|place|"
    rf"property)(?: there)?(?:,| in| at) (?:the )?$"
)
_YOUR_HOUSE: Final = re.compile(
    r"(?:[您你]们|[您你]家|[您你](?=[\u4e00-\u9fff]{2,6}?那家))(?:在)?([\u4e00-\u9fff]{2,6}?)(?:那家|那间|"
    r"的)?([\u4e00-\u9fff]{0,4}?)(酒店|旅馆|民宿|客栈|宾馆|公寓|度假村|饭店|旅店|招待所)"
)


_EVENT: Final = re.compile(
    r"\b(trade fair|marathon|music festival|school holidays|food festival|leaf season|flower fair)\b"
)
_DEMAND: Final = re.compile(r"\b(?:demand|search(?:es)?|more people|fewer people|travell?ers)\b")


class House(NamedTuple):
    """A house that a message names; ``core`` is its name without "Hotel", "Inn" and the like, in lower case."""

    start: int
    end: int
    core: str
    tail: str


def core_name(name: str) -> str:
    """Return a name in lower case without the words that say that it is a hotel, as people shorten it."""
    return re.sub(_LODGING_TAIL + "$", "", name.lower().strip()) or name.lower().strip()


@lru_cache(maxsize=256)
def _names(own: str, competitor: str) -> re.Pattern[str]:
    cores = {core_name(name) for name in (own, competitor, *world.NAME_STARTS, *world.COMPETITORS)}
    return re.compile(
        rf"\b({'|'.join(sorted(map(re.escape, cores), key=len, reverse=True))})\b({_LODGING_TAIL})", re.ASCII
    )


@lru_cache(maxsize=1)
def _cities() -> re.Pattern[str]:
    cities = sorted({city.lower() for city in _CITIES}, key=len, reverse=True)
    return re.compile(rf"\b({'|'.join(map(re.escape, cities))})\b|({'|'.join(_CHINESE_CITIES)})", re.ASCII)


def find_houses(talk: Talk) -> list[House]:
    """Return the houses that a message names: of the card, of the invented world, and names that end as hotels' do."""
    shouting = talk.text == talk.low  # nothing is capitalised: names are not either
    found: list[House] = []
    for match in _names(talk.card.hotel.name, talk.card.facts.competitor_name).finditer(talk.low):
        capital = all(talk.text[match.start(1) + word.start()].isupper() for word in re.finditer(r"[a-z']+", match[1]))
        if " " not in match[1] and not match[2] and not _ALONE_BEFORE.search(talk.before(match.start(), 16)):
            continue
        plain = shouting and (
            (" " in match[1] and match[1] not in ("old town", "west gate", "sunrise bay")) or match[2] != ""
        )
        if capital or plain:
            found.append(House(match.start(), match.end(), match[1], match[2].strip()))
    for match in _GENERIC.finditer(talk.text):
        if not any(house.start < match.end() and match.start() < house.end for house in found):
            words = match[1].lower().split()
            if words[0] in ("the", "your", "dear", "a", "this", "that", "our"):
                words = words[1:]
            if set(words) - set(_LODGING):
                found.append(House(match.start(), match.end(), " ".join(words), match[2].lower()))
    return sorted(found)


def house_claims(talk: Talk, houses: list[House], rooms: list[RoomMention]) -> list[Claim]:
    """Return a claim for each house that is named, and for the city that is said of this one."""
    hotel, competitor = talk.card.hotel, talk.card.facts.competitor_name
    own, other = core_name(hotel.name), core_name(competitor)
    found: list[Claim] = []
    for house in houses:
        name = talk.text[house.start : house.end]
        before, after = talk.before(house.start, 32), talk.after(house.end, 16)
        if house.core == own:
            wrong = set(house.tail.split()) & _TELLING - set(hotel.name.lower().split())
            found.append(talk.claim("hotel", house.start, house.end, name, hotel.name, not wrong))
        elif house.core == other:
            addressed = _OWN_HOUSE_BEFORE.search(before) is not None or _OWN_HOUSE_AFTER.match(after) is not None
            addressed = addressed or _is_asked_of(talk, house, rooms)
            if addressed:
                found.append(talk.claim("hotel", house.start, house.end, name, hotel.name, False))
            else:
                found.append(talk.claim("competitor", house.start, house.end, name, competitor, True))
        elif house.core not in talk.earlier_low:
            found.append(talk.claim("competitor", house.start, house.end, name, competitor, False))
    found += _city_claims(talk, houses, rooms) + _event_claims(talk)
    for match in _YOUR_HOUSE.finditer(talk.low):
        if match[1] not in talk.earlier_low:
            found.append(talk.claim("hotel", match.start(), match.end(), match[0], hotel.name, False))
    return found


def _is_asked_of(talk: Talk, house: House, rooms: list[RoomMention]) -> bool:
    """Return whether a room is asked of a house as of this one: "for Plum Blossom's king", "the twins at it"."""
    of_it = any(
        0 <= room.start - house.end <= 24 and _HOUSE_ROOM.fullmatch(talk.low[house.end : room.start]) for room in rooms
    )
    at_it = any(talk.low[room.end : house.start] in (" at ", " at the ", " of ", " of the ") for room in rooms)
    priced = re.match(r"[^.,;?!]{0,40}[0-9]{3}", talk.low[house.end : house.end + 44]) is not None
    if priced or not (of_it or at_it):
        return False
    sentence = talk.sentence(house.start)
    asked = re.search(r"[?？]", talk.low[sentence.end : sentence.end + 60])
    return asked is not None or _FOR_HOUSE.search(talk.before(house.start, 30)) is not None


def _city_claims(talk: Talk, houses: list[House], rooms: list[RoomMention]) -> list[Claim]:
    """Return a claim for each city that the house is said to lie in, or that people are said to look for."""
    city = talk.card.hotel.city
    own = core_name(talk.card.hotel.name)
    found: list[Claim] = []
    for match in _cities().finditer(talk.low):
        said = _CHINESE_CITIES[match[2]] if match[2] else match[1]
        before = talk.before(match.start(), 50)
        beside = any(
            house.core == own and re.fullmatch(r",? ?(?:in|at|of)? ?(?:the )?", talk.low[house.end : match.start()])
            for house in houses
            if house.end <= match.start() <= house.end + 10
        ) or any(
            0 <= match.start() - room.end <= 6 and talk.low[room.end : match.start()].strip() == "in" for room in rooms
        )
        if beside or _LOCAL.search(before) or _HERE.search(before):
            true = said.lower().replace("'", "") == city.lower().replace("'", "")
            if true or beside or said.lower() not in talk.earlier_low:
                found.append(
                    talk.claim("city", match.start(), match.end(), talk.text[match.start() : match.end()], city, true)
                )
    return found


def _event_claims(talk: Talk) -> list[Claim]:
    """Return a claim for each event that is said to move demand; one that was spoken of before is not accused."""
    event = talk.card.facts.event
    found: list[Claim] = []
    for match in _EVENT.finditer(talk.low):
        sentence = talk.sentence(match.start())
        true = match[1] in event.lower()
        if _DEMAND.search(talk.low, sentence.start, sentence.end) and (true or match[1] not in talk.earlier_low):
            found.append(talk.claim("event", match.start(), match.end(), match[1], event, true))
    return found
