"""Names the format of a file that is not a CSV, by its first bytes, with what to do about it.

`csvlines` asks it about the first block of each file, before and after decompression. The table holds what users give
by mistake; a file that is none of these is read as a CSV.
"""

from __future__ import annotations

import json
import re

HEAD = 4096  # bytes that are examined
GZIP = b"\x1f\x8b"
_UNPACK = "unpack it, and give the file inside"
_SAVE = "save it as CSV"
_CONVERT = "convert it to Parquet or CSV"

# (first bytes, what the file is, what to do)
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"BZh", "compressed with bzip2", "decompress it: bunzip2 FILE, or bzcat FILE | pilotfish profile build - ..."),
    (b"\xfd7zXZ\0", "compressed with xz", "decompress it: unxz FILE, or xzcat FILE | pilotfish profile build - ..."),
    (
        b"\x28\xb5\x2f\xfd",
        "compressed with zstd",
        "decompress it: zstd -d FILE, or zstdcat FILE | pilotfish profile build - ...",
    ),
    (b"\x04\x22\x4d\x18", "compressed with lz4", "decompress it: lz4 -d FILE"),
    (b"\xff\x06\0\0sNaPpY", "compressed with snappy", "decompress it"),
    (b"\x1f\x9d", "compressed with compress", "decompress it: gunzip FILE"),
    (GZIP, "compressed with gzip twice", "decompress it once: gunzip FILE"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook (xls)", f"{_SAVE} in Excel"),
    (b"PAR1", "Parquet inside gzip", "decompress it: gunzip FILE"),
    (b"ARROW1", "an Arrow file (Feather)", _CONVERT),
    (b"FEA1", "a Feather file (version 1)", _CONVERT),
    (b"\xff\xff\xff\xff", "an Arrow stream", _CONVERT),
    (b"ORC", "an ORC file", _CONVERT),
    (b"Obj\x01", "an Avro file", _CONVERT),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _CONVERT),
    (b"CDF\x01", "a NetCDF file", _CONVERT),
    (b"CDF\x02", "a NetCDF file", _CONVERT),
    (b"\x93NUMPY", "a NumPy array (npy)", f"{_CONVERT}, with names for the columns"),
    (b"SQLite format 3\0", "an SQLite database", "export the table as CSV"),
    (b"PGCOPY\n\xff\r\n\0", "a binary COPY of PostgreSQL", "export it by COPY ... WITH (FORMAT csv, HEADER)"),
    (b"RDX", "an R data file", f"{_SAVE}: write.csv(x, FILE, row.names = FALSE)"),
    (b"X\n\0\0\0", "an R data file (rds)", f"{_SAVE}: write.csv(x, FILE, row.names = FALSE)"),
    (b"<stata_dta>", "a Stata file", _CONVERT),
    (b"$FL2", "an SPSS file", _CONVERT),
    (b"MATLAB 5.0", "a MATLAB file", _CONVERT),
    (b"%PDF", "a PDF document", "give the data as CSV or Parquet"),
    (b"\x7fELF", "a program", "give a CSV or Parquet file"),
    (b"\x89PNG", "an image", "give a CSV or Parquet file"),
    (b"version https://git-lfs", "a pointer of Git LFS instead of the data", "fetch the data: git lfs pull"),
    (b"\xff\xfe\0\0", "UTF-32", "convert it: iconv -f UTF-32 -t UTF-8"),
    (b"\0\0\xfe\xff", "UTF-32", "convert it: iconv -f UTF-32 -t UTF-8"),
    (b"\xff\xfe", "UTF-16", "convert it: iconv -f UTF-16 -t UTF-8"),
    (b"\xfe\xff", "UTF-16", "convert it: iconv -f UTF-16 -t UTF-8"),
)
# (bytes within the first block of a zip archive, what it is, what to do); the first entry that fits counts
_ZIP = b"PK\x03\x04"
_ZIPPED: tuple[tuple[bytes, str, str], ...] = (
    (b"[Content_Types].xml", "an Excel workbook (xlsx)", f"{_SAVE} in Excel"),
    (b"xl/", "an Excel workbook (xlsx)", f"{_SAVE} in Excel"),
    (b"docProps/", "an Excel workbook (xlsx)", f"{_SAVE} in Excel"),
    (b"opendocument.spreadsheet", "an OpenDocument spreadsheet (ods)", _SAVE),
    (b".npy", "a NumPy archive (npz)", f"{_CONVERT}, with names for the columns"),
    (b"data.pkl", "a PyTorch file", _CONVERT),
    (b"", "a zip archive", _UNPACK),
)
_CONTROL = re.compile(rb"[^\t\n\r\x20-\x7e\xa0-\xff]")
_PICKLE = re.compile(rb"\x80[\x02-\x05](?:\x95.{8}|[\x80-\xff(}\]c])", re.DOTALL)
_HTML = re.compile(rb"\s*(?:<!doctype html|<html|<head|<body|<table)", re.IGNORECASE)
_JSON = "convert it to CSV or Parquet, for example with pandas: pd.read_json(FILE{}).to_parquet(OUT)"


def foreign_format(head: bytes) -> str:
    """Return what a file with these first bytes is, and what to do; empty for one that may be a CSV.

    The text completes a sentence "FILE: is ...".
    """
    head = head[:HEAD]
    table = _ZIPPED if head.startswith(_ZIP) else ()
    for part, what, remedy in table:
        if part in head:
            return f"{what}; {remedy}"
    is_text = _CONTROL.search(head[:64]) is None  # a header may begin with ORC or RDX
    for magic, what, remedy in _MAGIC:
        if head.startswith(magic) and not (is_text and len(magic) <= 4 and magic.isalnum()):
            return f"{what}; {remedy}"
    if head[257:262] == b"ustar":
        return f"a tar archive; {_UNPACK}"
    if _PICKLE.match(head):
        return f"a pickle of Python; {_CONVERT}"
    if encoding := _wide_encoding(head):
        return f"{encoding} without a byte order mark; convert it: iconv -f {encoding} -t UTF-8"
    return _markup(head.removeprefix(b"\xef\xbb\xbf"))


def _wide_encoding(head: bytes) -> str:
    """Return the encoding of text with a NUL beside each ASCII character; empty for other bytes."""
    even, odd = head[:64:2], head[1:64:2]
    if len(odd) < 4:
        return ""
    if even.count(0) == 0 and odd.count(0) > 0.9 * len(odd):
        return "UTF-16LE"
    return "UTF-16BE" if odd.count(0) == 0 and even.count(0) > 0.9 * len(even) else ""


def _markup(head: bytes) -> str:
    if _HTML.match(head):
        return "an HTML page; give the CSV or Parquet file itself"
    if head.lstrip().startswith(b"<?xml"):
        return "XML; give a CSV or Parquet file"
    return _json(head)


def _json(head: bytes) -> str:
    """Return what kind of JSON the bytes begin; empty for other text.

    A header may begin with a bracket, such as `[id],[amount]`, so the first line must be JSON as far as it goes.
    """
    lines = head.strip().splitlines()
    first = lines[0].strip() if lines else b""
    if first[:1] not in (b"{", b"["):
        return ""
    whole = _parses(first)
    if whole and first[:1] == b"{" and len(lines) > 1:
        return f"JSON lines; {_JSON.format(', lines=True')}"
    if whole and len(lines) > 1 and lines[1].strip()[:1] == b"[":
        return f"JSON lines; {_JSON.format(', lines=True')}"
    if first in (b"{", b"[") or re.match(rb'\[\s*[\[{]|\{\s*"', first):
        return f"JSON; {_JSON.format('')}"
    return f"JSON; {_JSON.format('')}" if whole and len(lines) == 1 else ""


def _parses(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
