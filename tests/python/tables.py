"""Tables as the module `csv` writes them, with its many dialects, and what it reads from them again.

Input: {"seed", "count"}. Output: a list of {"body", "delimiter", "quote", "columns", "records"}: "columns" are the
positions of address, port and family, and "records" what the module reads behind the header: lists of fields.
"""

import csv
import io
import json
import random
import sys

NOTES = ["", "x", "a b", "a,b", "a;b", "a|b", "a\tb", 'say "x"', '""', "it's", "'", "é", "# no comment", "ends ", '","', "1.2.3.4"]
FAMILIES = ["Emotet", "Cobalt Strike", "A,B", 'The "C"', "x;y", "Größe", "it's"]


def field(draw, column):
    if column == "address":
        return f"45.{draw.randrange(256)}.{draw.randrange(256)}.{draw.randrange(256)}"
    if column == "port":
        return str(draw.randint(1, 65535))
    if column == "family":
        return draw.choice(FAMILIES)
    return draw.choice(NOTES)


def table(draw):
    broken = draw.random() < 0.1
    dialect = {
        "delimiter": draw.choice([",", ",", ";", "|", "\t"]),
        "quotechar": draw.choice(['"', '"', "'"]),
        "quoting": draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
        "lineterminator": draw.choice(["\n", "\r\n"]),
    }
    columns = ["address", "port", "family", "note", "other"][: draw.randint(3, 5)]
    draw.shuffle(columns)
    out = io.StringIO()
    writer = csv.writer(out, **dialect)
    writer.writerow(columns)
    for _ in range(draw.randint(1, 12)):
        fields = [field(draw, column) for column in columns]
        if broken and columns[-1] in ("note", "other"):
            fields[-1] = draw.choice(["two\nlines", "x\r\n\r\ny", fields[-1]])
        writer.writerow(fields)
    body = out.getvalue()
    if draw.random() < 0.3:
        body = body.rstrip("\r\n")
    del dialect["lineterminator"], dialect["quoting"]
    records = list(csv.reader(io.StringIO(body, newline=""), strict=True, **dialect))
    return {
        "body": body,
        "delimiter": dialect["delimiter"],
        "quote": dialect["quotechar"],
        "columns": [columns.index(name) for name in ("address", "port", "family")],
        "records": records[1:],
    }


def main():
    asked = json.load(sys.stdin)
    draw = random.Random(asked["seed"])
    json.dump([table(draw) for _ in range(asked["count"])], sys.stdout)


main()
