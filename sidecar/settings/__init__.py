"""What a person sets: one ModelMonitor document, and the small file through which the proxy hears of it.

    bytes --> yamltree.py     plain dicts and lists with their lines, YAML 1.2 without surprises
          --> environment.py  what a container sets by variable is put in
          --> reader.py       typed by the structs of document.py; units by units.py; every problem with a remedy
          --> checks.py       combinations that are impossible (problems) or worth a word (warnings)
          --> ModelMonitor    frozen; load.py is the door

    effective.py  what is in force, for people
    schema.py     the JSON schema, committed as docs/modelmonitor.schema.json
    proxy.py      the proxy's part of it, a file in the shared folder, standard library only

Glossary
    document  one ModelMonitor, YAML or JSON, the same on a laptop and in a cluster
    path      where a value stands in it: $.spec.drift.tick
    problem   path, value and remedy; a document with one is refused whole
"""
