"""The block `spec.traffic` of the document: which exchanges are observed, decoded and stored."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from .blocks import DocumentBlock, Name, PathTemplate, Size

Path = Annotated[str, Meta(min_length=1, max_length=256)]


class KeepRows(DocumentBlock, frozen=True, kw_only=True):
    """Stores the newest rows on disk, in the state folder, for reports on rows. Off without this block."""

    rows: Annotated[int, Meta(description="Number of newest rows to keep.", ge=100, le=10**6)]
    bytes: Annotated[Size, Meta(description="Maximum size on disk. The oldest rows are deleted first.")] = (
        64 * 1024 * 1024
    )
    mask: Annotated[tuple[Name, ...], Meta(description="Columns that are never written to disk.", max_length=1000)] = ()


class Decode(DocumentBlock, frozen=True, kw_only=True):
    """Where rows and predictions are in JSON of your own form. Paths are a subset of JSONPath (docs/protocols.md)."""

    rows: Annotated[
        Path | None,
        Meta(description="Path to the rows in the request, such as `$.rows[*]`. Exactly one of this and inputColumns."),
    ] = None
    input_columns: Annotated[
        dict[str, Path],
        Meta(description="Path in the request by name of the input column.", max_length=1000),
    ] = field(default_factory=dict)
    one_row: Annotated[
        bool,
        Meta(
            description="The value that `rows` selects is one row, even if it looks like several, such as an "
            "image or an embedding."
        ),
    ] = False
    names: Annotated[
        Path | None,
        Meta(description="Path to the list of column names in the request, for rows that are lists without names."),
    ] = None
    predictions: Annotated[
        Path | None, Meta(description="Path to the predictions in the response, such as `$.results[*].score`.")
    ] = None
    prediction_columns: Annotated[
        dict[str, Path],
        Meta(description="Path in the response by name of the prediction column.", max_length=1000),
    ] = field(default_factory=dict)
    id: Annotated[
        Path | None, Meta(description="Path to the id of the exchange, in the request or the response, for labels.")
    ] = None
    paths: Annotated[
        tuple[PathTemplate, ...],
        Meta(
            description="Path templates of the requests to decode, such as `/models/{name}/score`. Empty means all.",
            max_length=30,
        ),
    ] = ()


class Traffic(DocumentBlock, frozen=True, kw_only=True):
    """Which traffic is observed, and how much of it."""

    ports: Annotated[
        tuple[str | int, ...],
        Meta(description="Names or numbers of the container ports to observe, in a cluster.", max_length=20),
    ] = ()
    interception: Annotated[
        Literal["auto", "port", "move", "redirect"],
        Meta(
            description="How requests reach the proxy, in a cluster: `port` moves the name of the model's port to "
            "the proxy, `move` gives the model another port number, `redirect` changes the address of packets; `auto` "
            "takes the first of these that fits."
        ),
    ] = "auto"
    protocol: Annotated[
        Literal["auto", "json", "mlflow", "oip", "v1"],
        Meta(
            description="Protocol of requests and responses: `oip` (Open Inference Protocol v2), `v1` (KServe v1, "
            "TensorFlow Serving), `mlflow` (data frames, and the forms of `v1`), `json` (your own, as `decode` "
            "describes); `auto` is `json` with `decode`, and otherwise detects the protocol from path and body."
        ),
    ] = "auto"
    decode: Annotated[Decode | None, Meta(description="Where rows and predictions are in JSON of your own form.")] = (
        None
    )
    max_records_per_second: Annotated[
        int,
        Meta(
            description="Maximum number of exchanges a second to record. Further exchanges are only counted.",
            ge=0,
            le=10**6,
        ),
    ] = 2000
    body_limit: Annotated[
        Size,
        Meta(
            description="Maximum size of a body. Exchanges with longer bodies are counted but not decoded. The "
            "last 2 KiB of a longer response are kept for token counts."
        ),
    ] = 1024 * 1024
    routes: Annotated[
        tuple[PathTemplate, ...],
        Meta(
            description="Your own path templates, such as `/score/{name}`. They are tried first.",
            max_length=30,
        ),
    ] = ()
    probes: Annotated[
        tuple[PathTemplate, ...],
        Meta(
            description="Paths that count as probes, beside the probes that are known by their User-Agent: those of "
            "the kubelet, and of the load balancers of AWS, Envoy and Google.",
            max_length=30,
        ),
    ] = ()
    keep_rows: Annotated[
        KeepRows | None, Meta(description="Store the newest rows on disk, for reports on rows. Off without this block.")
    ] = None
