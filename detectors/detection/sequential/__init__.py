"""Sequential tests: small states that grow with the increments of closed ticks. They are never merged.

Terms
-----
`ShiryaevRoberts`   evidence and onset of each alternative of each feature of a family
CUSUM               the sum of increments since its last zero; its start estimates the onset
`RecoveryTest`      a bet that the drift has ended; it wins when the feature has recovered
`RecoveryWindow`    what arrived since the recovery test started, to notice a drift that changes its shape

Data flow
---------
`tables.FamilyTable.increments` -> `ShiryaevRoberts.step` -> `family` -> `RecoveryTest.increment`

Terms of the whole package: docs/glossary.md.
"""
