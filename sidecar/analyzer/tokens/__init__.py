"""Reads how many tokens a language model read and wrote, from the counts in its responses. Pure.

    Record --> read.py        is this an exchange of a language model, and what does its response say?
           --> documents.py   the JSON documents of a body: one, lines, server-sent events, or the end of a cut body
           --> counts.py      the forms of the servers: OpenAI, Anthropic, TGI, SGLang, Ollama, llama.cpp
           --> choices.py     whether the counts are those of one choice only
           --> component.py   adds the counts by route to `resources.work.WorkMeter`, which attribution reads

Nothing is guessed: a response without counts is counted under its `TokenReason`. No text is kept.

Glossary
    prompt      tokens that the model read, with those from a cache
    cached      the part of the prompt that came from a cache of the server
    completion  tokens that the model wrote, with those of its reasoning
    told        fields with token counts, as a response has them
"""
