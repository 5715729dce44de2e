"""Words that tell a price from other numbers in a negotiation message.

Plain word sets and the patterns for number shapes, in lower case and ASCII digits. They list what
people write around figures in hotel talk and in second-hand sales; they know nothing of a market.
"""

from __future__ import annotations

import re
from typing import Final


def word_set(text: str) -> frozenset[str]:
    """The words of a space-separated list."""
    return frozenset(text.split())


MONTHS: Final = word_set(
    "jan january feb february mar march apr april may jun june jul july aug august sep sept "
    "september oct october nov november dec december jan. feb. mar. apr. aug. sep. sept. oct. "
    "nov. dec."
)
WEEKDAYS: Final = word_set(
    "mon tue tues wed thu thur thurs fri sat sun monday tuesday wednesday thursday friday "
    "saturday sunday weekend easter christmas"
)
# Currencies by what is written before or after a figure; no cents, no symbols that several currencies share but "$".
CURRENCIES: Final[dict[str, str]] = {
    "¥": "CNY", "rmb": "CNY", "cny": "CNY", "yuan": "CNY", "kuai": "CNY", "renminbi": "CNY", "元": "CNY", "块": "CNY",
    "块钱": "CNY", "人民币": "CNY", "$": "USD", "us$": "USD", "usd": "USD", "dollar": "USD", "dollars": "USD",
    "doller": "USD", "dollers": "USD", "buck": "USD", "bucks": "USD", "美元": "USD", "美金": "USD",
    "€": "EUR", "eur": "EUR", "euro": "EUR", "euros": "EUR", "欧元": "EUR", "£": "GBP", "gbp": "GBP", "pound": "GBP",
    "pounds": "GBP", "quid": "GBP", "英镑": "GBP", "hk$": "HKD", "hkd": "HKD", "港币": "HKD", "港元": "HKD",
    "sgd": "SGD", "s$": "SGD", "jpy": "JPY", "yen": "JPY", "日元": "JPY", "krw": "KRW", "韩元": "KRW",
    "twd": "TWD", "nt$": "TWD", "台币": "TWD", "thb": "THB", "baht": "THB", "aud": "AUD", "a$": "AUD", "cad": "CAD",
    "chf": "CHF", "franc": "CHF", "francs": "CHF", "inr": "INR", "rupee": "INR", "rupees": "INR",
    "rouble": "RUB", "roubles": "RUB", "ruble": "RUB", "rubles": "RUB", "vnd": "VND", "dong": "VND", "myr": "MYR",
    "ringgit": "MYR", "php": "PHP", "idr": "IDR", "aed": "AED", "卢布": "RUB", "泰铢": "THB",
}  # fmt: skip

# What follows a count or a measure ("2 rooms", "32 inch", "5 pm"): never a price without a currency
# sign of its own.
COUNTED: Final = word_set(
    "nights room rooms guest guests star stars days weeks wk wks months mo mos "
    "year years yr yrs hour hours hr hrs minute minutes mins second seconds sec adult adults "
    "child children kid kids person persons people pax bed beds bedroom bedrooms bath baths "
    "bathroom bathrooms br story stories floor floors block blocks mile miles mi km kms kilometer "
    "kilometers metre metres meter meters m cm mm inch inches in. ft foot feet sq sqft square "
    "yard yards acre acres lb lbs pound kg kgs kilo kilos g gram grams oz ounce ounces gallon "
    "gallons liter liters litre litres gb gbs gig gigs mb tb mp megapixel megapixels watt watts w "
    "volt volts v hz mhz ghz mph mpg hp cc rpm speed speeds gear gears am pm a.m. p.m. a.m p.m "
    "o'clock oclock degree degrees times time booking bookings order orders review reviews view "
    "views click clicks visit visits visitor visitors impression impressions hotel hotels "
    "property properties unit units ticket tickets piece pieces item items pack packs pair pairs "
    "car cars truck bike bikes phone phones owner owners seat seats passenger passengers "
    "door doors window windows attack attacks game games song songs page pages photo photos "
    "picture pictures point points step steps percent pct mile-range cylinder cylinders k "
    "children's grand-children channel channels platform platforms thing things question questions "
    "option options reason reasons traveller travellers traveler travelers "
    "suites seater more extra additional higher hundred thousand million billion dozen generation "
    "gen of thread threads owner's"
)
# Counted things when the figure is below 100, but "380 weekdays", "380 double", "380 night" are
# prices.
COUNTED_IF_SMALL: Final = word_set(
    "night day week month min suite twin twins double doubles king queen weekday weekdays weekend "
    "weekends standard deluxe superior single new small big large offer offers stay stays count counts set sets"
)
# Value given in another form than the price: a "$200 gas card" or a "$400 deposit" is no offer.
EXCHANGED: Final = word_set("deposit voucher vouchers coupon coupons gift refund credit credits gas fee fees")
EXCHANGED_BEFORE: Final = word_set("deposit voucher vouchers coupon coupons card fee fees")
# Words that may follow a bare figure which is a price ("380 and", "380 sounds").
ALLOWED_AFTER: Final = word_set(
    "a after all alone also am and any anyway apiece apx are around as at back be because before "
    "best bid breakfast bro budget but by cash can can't could deal delivered dude each even every "
    "everything excluding final firm flat for from fair gets gives gross ha haha he here how "
    "however i i'd i'll i'm if in included includes including instead inclusive is isn't it it's "
    "its just later less let let's like lol lower man max maximum maybe me min minimum monthly "
    "must my net next nightly no not now off ok okay on only or otherwise out overall per please "
    "plus pls price rate really right sale seems sell selling shall she should sir since so "
    "sound sounds still sure take take-home tax taxes thanks than that that's the then there they "
    "this though through to today tomorrow tonight too top total tops u unless until up upfront "
    "want was we we'll we'd were what when where which while why will with within without won't "
    "work works would wouldn't yes you you'd you'll you're your range ish or-so somewhere "
    "something okay? cheaper discount reduction rebate might may asking listed dollars is? each? "
    "guarantee sits stays stands holds remains leaves makes means pays covers helps hurts suits "
    "goes does happens buys wins gets beats matches feels looks keeps was has plus perhaps always already yours ours "
    "theirs hers his mine its this these yes agreed done thus versus unless besides altogether total sometimes towards "
    "across as less either neither both indeed gross nett straight whichever whoever however somehow nowadays "
    "upwards downwards afterwards thanks comes brings puts says gives fills closes carries takes asks reads turns runs "
    "starts sits ends changes"
)
# Attached to the figure without a space: "380ish", "380net".
ATTACHED: Final = word_set("ish net ea each pp pn max flat gross all firm or obo")
# Before the figure: the number is a name or a measure, not a price.
LABELS: Final = word_set(
    "number numbers # floor chapter iphone iphones ipad galaxy gopro hero ps playstation xbox windows flight gate "
    "terminal apartment apt apt. exit route highway zip zipcode postcode tel phone extension ext ranked seats sleeps "
    "weighs weigh mileage born bus lane am he's she's owe owed owing over-18 room rooms ios android hdmi usb lumia "
    "stylo nexus pixel article section clause paragraph"
)
# The same for a figure below 100 only: "step 2", "12 bookings of 20", but "I note 380", "call it a round 400".
LABELS_IF_SMALL: Final = word_set(
    "no. no day week part plus hour ticket top page note version v model generation gen type level age aged building "
    "air mini pro call step option stage turn round rank has size grade figure table line suite i'm item year series "
    "edition season mark mk vol volume channel lead exposure conversion demand commission occupancy searches views "
    "bookings all minus plus up"
)
# "room 412" is a room, "standard room 380" a rate.
ROOM_TYPES: Final = word_set(
    "standard deluxe superior king queen twin double single family executive business premium "
    "classic club basic economy luxury triple per a each the suite view"
)
PRICE_CUES: Final = word_set(
    "for do take offer pay accept at to offering paying taking accepting give spend spending sell "
    "asking about around price: rate:"
)
# A bare figure below 10 is a price only right after one of these.
SMALL_PRICE_CUES: Final = word_set("for do take offer pay accept go asking give sell offering paying taking spend want")
STREETS: Final = word_set("street st road rd avenue ave boulevard blvd lane drive highway dr")
YEAR_CUES: Final = word_set(
    "in since late early built made model circa mid year during spring summer autumn fall winter until till a"
)

_WORDS_AFTER: Final = "|".join(sorted((c for c in CURRENCIES if c.isascii() and c.isalpha()), key=len, reverse=True))
_SIGNS_AFTER: Final = "|".join(
    re.escape(c) for c in sorted(CURRENCIES, key=len, reverse=True) if (len(c) == 1 and not c.isalpha()) or c >= "一"
)
_CURRENCY_AFTER: Final = rf"(?:{_WORDS_AFTER})(?![a-z])|{_SIGNS_AFTER}"
# What follows a number: space, currency, "+" and joint, then the next word or sign.
AFTER: Final = re.compile(rf"( ?)({_CURRENCY_AFTER})?(\+? ?-?)([a-z]+(?:['.][a-z]+)*|[^\sa-z0-9]?)")
# Numbers in digits, after their first digit. Group 1: a plain whole number, the common case, tried first; 2: digits
# spaced out, or thousands set apart ("3 8 0", "1 200", "1'200"); 3: hundreds set apart as they are said ("3-45",
# "4-4-0"); 4: the rest of the figure, 5: its scale; no group: no price (dates, times, fractions, phone numbers, and
# "3 80"). All alternatives share the first digit so that the search skips quickly over text without digits.
SCAN: Final = re.compile(
    r"[0-9](?:([0-9]*)(?=[,.]?(?:[?!;)]|$| (?![0-9kghtm])))|[0-9]{3}[-/.][0-9]{1,2}[-/.][0-9]{1,2}(?![0-9])|"
    r"[0-9]?[-/.][0-9]{1,2}[-/.][0-9]{2,4}(?![0-9])|[0-9]?[:/][0-9]{1,2}(?![0-9])|"
    r"[0-9]{2,3}[- ][0-9]{3,4}[- ][0-9]{4}(?![0-9])|((?: [0-9]){2,5}(?![0-9.,]| [0-9])|(?: [0-9]{3}){1,2}(?![0-9]|"
    r"[.][0-9]| [0-9])|[0-9](?: [0-9]{3})(?= ?(?:yuan|rmb|cny|元|块))|[0-9]{0,2}(?:'[0-9]{3}){1,2}(?![0-9]))|"
    r"((?:-[0-9]{2}|-[0-9]-[0-9])(?![-0-9/:]|[.,][0-9]))| [0-9]{2}(?![0-9.,])|([0-9]*(?:[.,][0-9]+)*)(?: ?(k|grand|"
    r"thousand|hundred|million|千|万|百)(?![a-z]))?)"
)

OFF_WORDS: Final = word_set(
    "knock knocked knocking shave shaved shaving cut cutting chop slash slashed deduct subtract "
    "minus drop dropped dropping take taking took off down discount reduction rebate reduce "
    "reduced reducing lower lowered lowering save saving decrease decreased raise raised raising lift lifted increase "
    "increased bump add adding extra additional another up by"
)
_FILLER: Final = (
    r"(?: (?:it|the|your|that|this|them|both|each|all|our|my|prices?|rates?|off|by|another|additional|an|a|cool|max|"
    r"maximum|of|me|you|us|about|around|like|down|further|almost|nearly|extra|roughly|maybe|just|full|whole|rent|"
    r"listing|asking))*"
)
OFF_BEFORE: Final = re.compile(
    rf"(?:\b(?:knock|knocked|knocking|shav(?:e|ed|ing)|cut|cutting|chop|slash|slashed|deduct|subtract|drop|dropped|"
    rf"dropping|sav(?:e|ing)|tak(?:e|ing)(?: [a-z]+){{0,3}} off|(?:[0-9]|that|this|it|price|rate|list) minus|"
    rf"(?:discount|reduction|rebate|decrease) of|(?:come|came|coming|go|went|going|bring|get) (?:it |the price |"
    rf"the rate )?down){_FILLER}|\b(?:lower|lowered|lowering|reduc(?:e|ed|ing)|decreased?|discount|down|less|"
    rf"cheaper)(?:{_FILLER}|(?: [a-z]+){{1,4}}) by(?: about| around| another| a| maybe| roughly)*) [$¥€£]?$"
)
UP_BEFORE: Final = re.compile(
    rf"\b(?:(?:rais(?:e|ed|ing)|lift|lifted) (?:my|our) (?:last |final )?(?:bid|offer|figure|number|price)(?: (?:on|"
    rf"for) the [a-z]+)? by|(?:rais(?:e|ed|ing)|increased?|increasing|bump|bumped|add|added|adding){_FILLER}|(?:go|"
    rf"went|goes|come|came|coming|going|move|bump|step)(?: it| the price)? up(?: by| another)?|extra|additional|"
    rf"another) [$¥€£]?$"
)
PERCENT_BEFORE: Final = re.compile(
    r"(?:\b(?:discount|off|reduction|cut|drop|lower|reduce|knock|shave|down|slash|rebate|cheaper|less)(?: (?:of|by|at|"
    r"is|a|an|about|around|it|the|your|our|price|prices|rate|rates|me|you|us|them|both|all|off|another|extra|even|only|"
    r"just|up to|down|maybe|roughly|like|some))*|(?:便宜|优惠|折扣|让利|降价?|减|打折|让)(?:[了个点]|百分之)?) ?$"
)
PERCENT_AFTER: Final = re.compile(
    r" ?(?:[a-z-]+ ){0,2}?(?:off|less|lower|discount|discounts|reduction|cheaper|rebate|below|down)"
    r"(?![a-z])|的?(?:折扣|优惠|降价|让利)"
)
# Percentages of something that is no price.
PERCENT_METRICS: Final = re.compile(
    r"\b(?:occupancy|exposure|traffic|demand|[a-z]*bookings?|commission|conversion|orders|views|clicks|"
    r"visitors|impressions|cancellations?|reviews?|score|raise|tax|vat|financing|battery|full)\b"
    r"|入住率|曝光|流量|佣金|转化|订单|需求|搜索|上涨|涨"
)
# The same where the percentage is "down", "lower", "less" and not "off": people and searches go down too.
PERCENT_TRENDS: Final = re.compile(
    r"\b(?:search(?:es)?|searching|looking|interest|people|guests?|families|travell?ers|fewer|pace|pick-?up|forecast|"
    r"holidays?|festivals?|fair|season|months?|weeks?|year|years|year's|than (?:usual|normal|before|average)|"
    r"below (?:usual|normal|average|last|the last)|usual|normal|costs?|heating|bills?|market|calendar|town|city)\b"
)
PERCENT_OFF_WORDS: Final = re.compile(r"\b(?:off|discounts?|rebate|reduction|cheaper|knock|shave|slash)\b")
# Counters and units right after a Chinese or Arabic numeral: 三间, 两晚, 5月, 5星.
CHINESE_COUNTERS: Final = frozenset(
    "月日号年点时分秒间晚天位人个名套房星级层楼次张条米公里岁度倍周单家件种步句下些样定直般共旦"
    "切边方面平路街室栋期届成刻半份夜排只分寸折"
)
