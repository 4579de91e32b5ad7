"""Units of measure by their names, and words that multiply a number."""

MAGNITUDES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}

_UNITS = (
    *("mm millimeter millimetre", "cm centimeter centimetre", "m meter metre", "km kilometer kilometre"),
    *("ft foot feet", "yd yard", "mi mile", "inch inches"),
    *("mg milligram", "g gram", "kg kilogram", "lb pound", "oz ounce", "ton", "tonne"),
    *("ms millisecond", "s sec second", "min minute", "h hr hour", "day", "week", "month", "year"),
    *("ml milliliter millilitre", "l liter litre", "gallon", "dollar usd", "euro eur", "cent", "degree"),
)
_KNOWN = {name: names.split()[0] for names in _UNITS for name in names.split()}


def known_unit(word: str) -> str:
    """The short name of a unit of measure, singular or plural; nothing for another word."""
    word = word.casefold()
    return _KNOWN.get(word) or _KNOWN.get(word.removesuffix("s"), "") if len(word) > 3 else _KNOWN.get(word, "")


def unit_named(text: str) -> str:
    """The same for a text that stands where a unit has to: what is not known stays as it is, without a plural's s."""
    text = text.casefold()
    return known_unit(text) or text.removesuffix("s")
