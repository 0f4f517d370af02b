"""Reads prices as feeds write them: "19.90 EUR", "EUR 1.299,00", "1,299.00", "€ 5"."""

from __future__ import annotations

import re

# ISO 4217, in use in 2026.
CURRENCIES = frozenset(
    """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
    CLF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG
    HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD
    MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF
    SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS
    VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG""".split()  # noqa: SIM905  a list of 157 would fill a page
)
_SIGNS = {"€": "EUR", "£": "GBP", "$": "USD", "¥": "JPY", "₹": "INR", "zł": "PLN", "Kč": "CZK"}
_NUMBER = re.compile(r"-?\d[\d.,' \u00a0\u202f]*")


class NotMoney(ValueError):
    """The text is no price; the message says why."""


def money_of(text: str) -> tuple[float, str]:
    """Amount and currency; "" where the text names none. Raises NotMoney."""
    found = _NUMBER.search(text)
    if found is None:
        raise NotMoney(f"{text[:40]!r} is no price; write one like 19.90 EUR")
    rest = (text[: found.start()] + text[found.end() :]).strip(" \u00a0\u202f")
    currency = _SIGNS.get(rest, rest.upper())
    if currency and currency not in CURRENCIES:
        raise NotMoney(f"{rest[:20]!r} is no currency; write its ISO code, like EUR")
    amount = _amount(found.group())
    if amount < 0:
        raise NotMoney(f"{text[:40]!r}: a price is not below 0")
    return amount, currency


def amount_or_zero(text: str) -> float:
    """For comparing prices; what is none is said when the row is judged."""
    try:
        return money_of(text)[0]
    except NotMoney:
        return 0.0


def _amount(written: str) -> float:
    """Which of . and , parts decimals: the last one, unless it parts exactly three digits and stands there alone."""
    digits = re.sub(r"[' \u00a0\u202f]", "", written).rstrip(".,")
    point = max(digits.rfind("."), digits.rfind(","))
    if point < 0:
        return float(digits)
    sign, behind = digits[point], len(digits) - point - 1
    other = "," if sign == "." else "."
    if digits.count(sign) > 1 or (sign == "," and behind == 3 and other not in digits):
        return float(re.sub("[.,]", "", digits))
    return float(digits[:point].replace(other, "") + "." + digits[point + 1 :])
