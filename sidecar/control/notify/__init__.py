"""The kind `notify`: sends notifications to people, in every mode, one lane per receiver.

    episode, blind spot --> Intents of nature ONCE: one for the start and one for the end     policy.py
    cause               --> CloudEvent with a sentence for people                             event.py  words.py
    CloudEvent          --> `{"text": ...}` for a receiver of the format slack                slack.py
    `webhook` delivers it

The ledger is the memory: the newest entry of a cause says whether its start was sent. So a restart repeats nothing.
docs/notifications.md describes what a receiver gets.
"""
