"""The command `pilotfish recommend`: requests and limits that fit the real use of containers."""
