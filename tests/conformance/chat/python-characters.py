"""What Python's str says of every assigned character: one JSON list a line, [code point, kinds, changed texts]."""
import json
import unicodedata

KINDS = ["isalpha", "isdecimal", "isdigit", "isnumeric", "isalnum", "isspace", "islower", "isupper", "istitle"]

for code in range(0x110000):
    char = chr(code)
    if unicodedata.category(char) in ("Cn", "Cs"):
        continue
    kinds = [getattr(char, kind)() for kind in KINDS]
    changed = [char.upper(), char.lower(), char.capitalize(), char.swapcase(), char.casefold()]
    within = [("x" + char).title(), (char + "x").title(), ("Σ" + char).swapcase(), ("xΣ" + char).capitalize()]
    print(json.dumps([code, kinds, changed + within]))
