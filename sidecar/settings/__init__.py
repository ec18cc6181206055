"""Settings: one ModelMonitor document, and the small file that passes the proxy's part of it to the proxy.

    bytes --> yamltree.py     plain dicts and lists with their line numbers; a safe subset of YAML 1.2
          --> environment.py  overrides from environment variables
          --> parsing.py      typed structs of document.py; units by units.py; every problem with a remedy
          --> validation.py   impossible combinations (problems) and surprising ones (warnings)
          --> ModelMonitor    frozen; load.py is the entry point

    blocks.py     types of values, and the base class of all objects
    retraining.py, scaling.py, traffic.py, webhooks.py  blocks of the document
    decoding.py   checks spec.traffic.decode; jsonpath.py parses its paths
    places.py     which settings work in a cluster only, and which in a file only
    status.py     the status of a resource
    effective.py  the settings in force, as text
    schema.py     the JSON schema, committed as docs/modelmonitor.schema.json
    crd.py        the resource of Kubernetes: structural.py makes its schema, rules.py has its rules in CEL
    author.py     the admission policy on authors of a resource
    options.py    options of commands from environment variables; standard library only
    proxy.py      the proxy's settings, a file in the shared folder; standard library only

A document is parsed once and refused as a whole if it has a problem. Nothing else in Pilotfish reads YAML settings.

Glossary. More terms: docs/glossary.md
    document  one ModelMonitor, in YAML or JSON, in a file on a laptop or as a resource in a cluster
    resource  a document in a cluster, with a status
    path      the position of a value in the document, such as $.spec.drift.tick
    problem   path, value and remedy of something that makes a document unusable
"""
