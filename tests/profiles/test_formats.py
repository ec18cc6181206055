"""A file that is not a CSV is refused with what it is and what to do."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.orc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.profiles.formats import foreign_format

ROWS = [{"a": 1.5, "b": "x"}] * 50
TABLE = pa.table({"a": [1.0, 2.0]})


def zipped(*names: str) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name in names:
            archive.writestr(name, "content")
    return raw.getvalue()


def written(write: object, *given: object) -> bytes:
    raw = io.BytesIO()
    write(*(raw if part is Ellipsis else part for part in given))  # type: ignore[operator]
    return raw.getvalue()


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        ("\n".join(map(json.dumps, ROWS)).encode(), "JSON lines"),
        (b"\xef\xbb\xbf" + "\n".join(map(json.dumps, ROWS)).encode(), "JSON lines"),
        (b"[1, 2]\n[3, 4]\n", "JSON lines"),
        (json.dumps(ROWS).encode(), "JSON"),
        (json.dumps(ROWS, indent=1).encode(), "JSON"),
        (b"{\n}", "JSON"),
        (bz2.compress(b"a,b\n"), "bzip2"),
        (lzma.compress(b"a,b\n"), "xz"),
        (b"\x28\xb5\x2f\xfd\x20", "zstd"),
        (gzip.compress(b"a,b\n", mtime=0), "twice"),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "Excel workbook"),
        (zipped("docProps/app.xml"), "Excel workbook"),
        (zipped("arr_0.npy"), "NumPy archive"),
        (zipped("rows.csv"), "zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel workbook (xls)"),
        (written(np.save, ..., np.zeros(3)), "NumPy array"),
        (pickle.dumps(ROWS), "pickle"),
        (pickle.dumps(ROWS, protocol=2), "pickle"),
        (written(pa.feather.write_feather, TABLE, ...), "Feather"),
        (written(pa.orc.write_table, TABLE, ...), "ORC"),
        (b"Obj\x01\x04", "Avro"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"SQLite format 3\0", "SQLite"),
        (b"PGCOPY\n\xff\r\n\0", "PostgreSQL"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        ("a,b\n1,2\n".encode("utf-16-le"), "UTF-16LE without"),
        ("a,b\n1,2\n".encode("utf-16-be"), "UTF-16BE without"),
        (b"<!DOCTYPE html>", "HTML"),
        (b"<?xml version='1.0'?>", "XML"),
    ],
)
def test_a_format_is_named_with_a_remedy(raw: bytes, what: str) -> None:
    found = foreign_format(raw)
    assert what in found
    assert "; " in found


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"a,b\n1,2\n",
        b"[id],[amount]\n1,2\n",
        b"{x},y\n1,2\n",
        b"BZ,h\n",
        b"ORC,x\n1,2\n",
        b"RDX,x\n",
        b"\xef\xbb\xbfa\n",
    ],
)
def test_text_that_may_be_a_csv_is_not_named(raw: bytes) -> None:
    assert foreign_format(raw) == ""


@given(st.binary(max_size=300))
def test_any_bytes_are_looked_at(raw: bytes) -> None:
    assert isinstance(foreign_format(raw), str)
