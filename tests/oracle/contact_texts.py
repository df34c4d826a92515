"""E-mail addresses and telephone numbers in plain Python."""

import re

NOTHING, USABLE, UNUSABLE = 0, 1, 2
AROUND = "".join(map(chr, range(33)))
SEPARATORS = re.compile("[ \\-./()\u00a0\u2000-\u203f]")


def address(text, *, spaces_out=False, gmail=False):
    """Return whether a text is an address, and the address."""
    text = text.strip(AROUND)
    if not text:
        return NOTHING, ""
    if spaces_out:
        text = text.replace(" ", "")
    text = "".join(one.lower() if one.isascii() else one for one in text)
    local, at, domain = text.partition("@")
    labels = domain.split(".")
    sound = (
        at
        and re.fullmatch(r"""[^\x00-\x20\x7f"(),:;<>\[\]\\`@]+""", local)
        and re.fullmatch(r"""[^\x00-\x20\x7f"(),:;<>\[\]\\`@]+""", domain)
        and re.match(r"[a-z0-9_\x80-\U0010ffff]", local)
        and len(local.encode()) <= 64
        and len(text.encode()) <= 254
        and len(labels) > 1
        and all(one and one[0] != "-" and one[-1] != "-" for one in labels)
    )
    if sound and gmail and domain in ("gmail.com", "googlemail.com"):
        local = local.partition("+")[0].replace(".", "")
        sound = bool(local)
    return (USABLE, f"{local}@{domain}") if sound else (UNUSABLE, "")


def number(text, region=None):
    """Return whether a text is a number, and its digits; region: code, trunk prefix, lengths."""
    text = text.strip(AROUND)
    if not text:
        return NOTHING, ""
    head, plus, tail = text.partition("+")
    if plus and not re.search(r"\d", head):
        if SEPARATORS.sub("", head):
            return UNUSABLE, ""
        text = tail.replace("(0)", "")
    digits = SEPARATORS.sub("", text)
    if not re.fullmatch("[0-9]+", digits):
        return UNUSABLE, ""
    international = bool(plus) or digits.startswith("00")
    if (
        not international
        and region
        and region[0] == "1"
        and digits.startswith("011")
        and len(digits) > 3
    ):
        return _checked(digits[3:])
    if international:
        digits = digits.lstrip("0")
    elif region is None:
        digits = "" if digits.startswith("0") else digits
    else:
        digits = _national(digits, *region)
    return _checked(digits)


def _national(digits, code, trunk, lengths):
    if trunk and digits.startswith(trunk) and len(digits) - len(trunk) in lengths:
        return code + digits[len(trunk) :]
    whole = digits.startswith(code) and len(digits) - len(code) in lengths
    if whole and trunk:
        return digits
    if len(digits) in lengths:
        return code + digits
    return digits if whole else ""


def _checked(digits):
    return (USABLE, digits) if 6 <= len(digits) <= 15 else (UNUSABLE, "")
