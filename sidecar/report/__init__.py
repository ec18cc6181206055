"""Reports for people: the schema of `GET /report`, the time line, the pages, and the command `pilotfish report`."""
