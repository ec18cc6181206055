"""From a record to rows: one file per protocol, chosen from one table. Nothing in here raises, whatever the bytes are.

    Record --> headers.py  path, and the few headers that matter; no other header is read
           --> content.py  content coding undone, bounded; JSON parsed, duplicate keys found
               events.py   the data of a CloudEvent in structured mode
           --> oip.py      Open Inference Protocol v2, REST JSON and its binary-data extension
               v1.py       KServe v1 and TensorFlow Serving REST JSON, row and column form
               mlflow.py   MLflow's scoring server: data frames, and the forms of v1
           --> Decoded(inputs, outputs) | Skip(reason)

Glossary
    hints   what document and profile know beforehand: protocol, model, names of the columns in their order
    rows    named columns as plain lists; many requests' rows become one batch in the pipeline
    cells   a column's values: a list, or a numpy array [rows, numbers] where a row holds an array
    skip    an exchange that is counted under `undecodable{reason}`; `REASONS` is the whole table

A request that does not decode is a skip. A request that does, with a response that does not, is measured without
outputs, and `outputs_reason` says why.
"""

from .registry import PROTOCOLS, decode
from .types import REASONS, Cells, DecodedExchange, Hints, Rows, SkippedExchange

__all__ = ["PROTOCOLS", "REASONS", "Cells", "DecodedExchange", "Hints", "Rows", "SkippedExchange", "decode"]
