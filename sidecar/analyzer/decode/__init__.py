"""Decode a record into rows. One module per protocol, selected from one table. `decode` never raises an exception.

    Record --> targets.py      read protocol, model and version from the path
           --> headers.py      read the ids, and only the headers that decoding needs
           --> content.py      decompress within a bound, parse JSON, reject duplicate keys
               allowance.py    the expected cost of a body, before it is parsed
               cloudevents.py  extract the data of a CloudEvent in structured mode
           --> oip.py          Open Inference Protocol v2 over REST, with its binary-data extension (binary.py)
               v1.py           KServe v1 and TensorFlow Serving over REST, row and column form
               mlflow.py       scoring server of MLflow: data frames, and the forms of v1
               own_json.py     JSON of the user's own form: the paths of spec.traffic.decode (selection.py)
               arrays.py       nested lists to columns, for all protocols
           --> DecodedExchange(inputs, outputs) | SkippedExchange(reason)

Glossary

hints        what the document and the profile specify before decoding: protocol, model, column names in order
rows         decoded values as named columns
cells        the values of one column: a list, or a numpy array [rows, numbers] if each row holds an array
skip         an exchange that is counted in `undecodable{reason}`; `report/problems.py` lists all reasons
known names  the columns of the reference, in order; requests without names take them by position
codec        the module of one protocol, with `decode_request` and `decode_response`

An exchange is skipped if its request cannot be decoded. If only the response cannot be decoded, the exchange is
measured without outputs, and `outputs_reason` gives the reason.

More terms: docs/glossary.md
"""

from .allowance import Allowance
from .registry import PROTOCOLS, decode
from .targets import compile_template
from .types import Cells, Columns, DecodedExchange, Hints, OwnJson, Rows, SkippedExchange

__all__ = [
    "PROTOCOLS",
    "Allowance",
    "Cells",
    "Columns",
    "DecodedExchange",
    "Hints",
    "OwnJson",
    "Rows",
    "SkippedExchange",
    "compile_template",
    "decode",
]
