"""The body of `POST /v1/feedback`: from bytes to a LabelBatch, or FeedbackError.

    body, content type --> request.py: splits it into items; cloudevents.py unwraps events
    item --> items.py --> labels.Label: key of the request id, row, true value

The analyzer joins the labels to predictions; the controller passes them on to the pods of a monitor.
Terms: docs/glossary.md
"""
